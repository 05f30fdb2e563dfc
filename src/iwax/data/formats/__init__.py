"""File formats: bytes in, arrays out, one format a file. Every mistake is a ValueError that names the file."""
