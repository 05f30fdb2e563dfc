// safetensors: eight bytes that say how long the header is, the header as JSON, then all numbers, little-endian.
function parseSafetensors(base64) {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const tensors = {};
  for (const [name, about] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (about.dtype !== "F32") throw new Error(`${name}: single precision was needed, got ${about.dtype}`);
    const [begin, end] = about.data_offsets.map((offset) => 8 + length + offset);
    tensors[name] = { shape: about.shape, data: new Float32Array(bytes.buffer.slice(begin, end)) };
  }
  return tensors;
}
