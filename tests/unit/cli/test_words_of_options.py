"""What is wrong with an option is said of the option as it was typed, and with the word that may have been meant."""

import pytest

from iwax.cli import main

REFUSED = {
    "--epochs five": "--epochs: needs a whole number, got 'five'",
    "--k 2.5": "--k: needs a whole number, got '2.5'",
    "--seed x": "--seed: needs a whole number, got 'x'",
    "--precision 16": "--precision: needs 32, 64 or mixed, got '16'",
    "--k 0": "--k: needs an integer from 1 to 10000000 (importance samples per data point), got 0",
    "--device tpu": '--device: needs cpu or gpu, got "tpu"; did you mean gpu?',
    "--bound iwea": "did you mean iwae?",
    "--recipe fast": "--recipe: needs one of quick, paper, got 'fast'",
    "--preset iwea": "--preset: needs a name of the catalogue, got 'iwea'",
    "--binarize treshold": '--binarize: needs threshold or sample, got "treshold"; did you mean threshold?',
    "--kind weight=poison": "--kind weight=poison: needs one of continuous, positive, nonnegative, count, integer, "
    'nonnegative_integer, binary, categorical, drop, got "poison"; did you mean count?',
    '--set data.kinds={"weight":"flaot"}': "data.kinds.weight (from --set): needs one of continuous",
    "--epoch 5": "iwax train has no option --epoch; did you mean --epochs?",
}


@pytest.mark.parametrize("words", REFUSED)
def test_an_option_is_refused_as_it_was_typed(words, capsys):
    with pytest.raises(SystemExit) as left:
        main(["train", "digits", *words.split()])
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert said.startswith("error: ")
    assert REFUSED[words] in said
    assert "command line" not in said


def test_a_limit_is_a_number_from_one(capsys):
    for words, needed in (
        ("--limit 0", "--limit: needs 1 or more, got"),
        ("--flips x", "--flips: needs a number, got 'x'"),
    ):
        with pytest.raises(SystemExit):
            main(["denoise", "RUN", *words.split()])
        assert needed in capsys.readouterr().err
