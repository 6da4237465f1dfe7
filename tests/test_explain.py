"""Explanations: every printed `left = expression = number` is evaluated and compared with the number printed."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import hillwalker as hw
from hillwalker import activations, layers, losses, optimizers
from hillwalker.errors import InputError, InputTypeError
from hillwalker.seeing import arithmetic
from hillwalker.seeing.arithmetic import Statement, Symbol, num, product, total

ACTIVATIONS = (
    "linear", "relu", "leaky_relu", "relu6", "elu", "selu", "gelu", "silu", "mish", "sigmoid", "hard_sigmoid", "tanh",
    "softsign", "softplus", "exponential", "softmax", "log_softmax",
)  # fmt: skip

# loss, output activation, targets
LOSSES = (
    ("mse", "linear", "real"), ("mae", "linear", "real"), ("mape", "linear", "positive"),
    ("msle", "softplus", "positive"), (losses.Huber(0.5), "linear", "real"), ("log_cosh", "linear", "real"),
    (losses.Pinball(0.8), "linear", "real"), (losses.AsymmetricSquaredError(2.0), "linear", "real"),
    (losses.QLIKE(), "softplus", "positive"), (losses.QLIKE(from_log=True), "linear", "positive"),
    ("cosine_similarity", "linear", "real"), ("poisson", "softplus", "positive"),
    ("binary_crossentropy", "sigmoid", "bits"), (losses.BinaryCrossentropy(True, 0.2), "linear", "bits"),
    (losses.BinaryCrossentropy(label_smoothing=0.1), "sigmoid", "bits"),
    ("categorical_crossentropy", "softmax", "one_hot"),
    (losses.CategoricalCrossentropy(True, 0.1), "linear", "one_hot"),
    ("sparse_categorical_crossentropy", "softmax", "labels"), ("kl_divergence", "softmax", "shares"),
    (losses.SparseCategoricalCrossentropy(from_logits=True), "linear", "labels"), ("hinge", "tanh", "signs"),
    ("squared_hinge", "tanh", "signs"), ("categorical_hinge", "linear", "one_hot"),
)  # fmt: skip


def targets(kind, rows, columns, random):
    one_hot = np.eye(columns)[random.integers(columns, size=rows)]
    return {
        "real": random.normal(size=(rows, columns)),
        "positive": random.uniform(0.2, 3.0, size=(rows, columns)),
        "bits": random.integers(2, size=(rows, columns)).astype(float),
        "signs": random.integers(2, size=(rows, columns)) * 2.0 - 1.0,
        "one_hot": one_hot,
        "labels": one_hot.argmax(axis=1).astype(float),
        "shares": random.dirichlet(np.ones(columns), size=rows),
    }[kind]


# An independent reader of what is printed: Python's arithmetic, and the functions that are named, not spelled out


def functions():
    def value(name):
        return lambda z: float(activations.get(name).value(np.array([[float(z)]]))[0, 0])

    def slope(name):
        f = activations.get(name)
        return lambda z: float(
            f.backward(np.array([[float(z)]]), f.value(np.array([[float(z)]])), np.ones((1, 1)))[0, 0]
        )

    named = {name: value(name) for name in ACTIVATIONS}
    primed = {f"{name}_slope": slope(name) for name in ACTIVATIONS}
    plain = {"ln": math.log, "tanh": math.tanh, "cosh": math.cosh, "max": max, "exp": math.exp, "abs": abs}
    return named | primed | plain | {"sqrt": math.sqrt, "sign": np.sign}


FUNCTIONS = functions()


def evaluate(expression):
    """Return the value of a printed expression."""
    text = expression.replace("′", "_slope").replace("−", "-").replace("·", "*").replace("√", "sqrt")
    text = re.sub(r"\(\d+ more terms: ([^)]*)\)", r"(\1)", text)
    text = re.sub(r"e\^(-?[\d.]+(?:e-?\d+)?)", r"exp(\1)", text).replace("e^(", "exp(")
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text).replace("²", "**2")
    return float(eval(text, {"__builtins__": {}}, FUNCTIONS))


SYMBOLS = re.compile(r"[₀-₉ₐ-ₜ∂Σ]|W\[|rate")


def check(explanation):
    """Evaluate every statement's last expression; return how many."""
    checked = 0
    for line in explanation.lines:
        parts = line.split(" = ")
        if len(parts) < 3 or (len(parts) == 3 and SYMBOLS.search(parts[1])):
            continue
        got = evaluate(parts[-2])
        printed = float(parts[-1].replace("−", "-"))
        last_digit = 10.0 ** (math.floor(math.log10(abs(printed))) - 3) if printed else 0.0
        largest = max(abs(float(text.replace("−", "-"))) for text in re.findall(r"[\d.]+(?:e−?\d+)?", parts[-2]))
        assert abs(got - printed) <= 0.5000001 * last_digit + 1e-13 * (largest + largest**2), f"{line}: {got}"
        checked += 1
    return checked


def addresses(trace, random):
    yield "loss"
    for layer in trace.layers:
        for name, value in layer.weights.items():
            yield f"{layer.name}.{name}[{','.join(str(random.integers(size)) for size in value.shape)}]"
        for name in ("z", "a", "da", "dz", "dinput", "normal", "mean", "variance"):
            value = layer.quantities.get(name)
            if value is not None:
                yield f"{layer.name}.{name}[{','.join(str(random.integers(size)) for size in value.shape)}]"


def everything_checks(model, x, y, weight=None, training=True):
    random, checked = np.random.default_rng(1), 0
    trace = model.trace(x, y, weight, training)
    for one in (trace, trace.row(0)):
        for address in addresses(one, random):
            explanation = one.explain(address)
            if address.rpartition(".")[2][:4] in ("kern", "bias", "gamm", "beta"):
                assert (
                    explanation.value
                    == one.layer(address.split(".")[0]).gradients[address.split(".")[1].split("[")[0]][
                        tuple(map(int, re.findall(r"\d+", address.split("[")[1])))
                    ]
                )
            checked += check(explanation)
    return checked


@pytest.fixture(autouse=True)
def in_float64():
    hw.config.set_floatx("float64")


class TestArithmetic:
    def test_a_sum_prints_its_signs_and_checks(self):
        terms = [product(num(0.5), num(0.15)), product(num(-0.1), num(0.2)), num(-0.35)]
        statement = Statement(Symbol("z", "z"), 0.075 - 0.02 - 0.35, total(terms))
        assert statement.text == "z = 0.5·0.15 − 0.1·0.2 − 0.35 = −0.295"
        assert statement.latex == r"z &= 0.5 \cdot 0.15 - 0.1 \cdot 0.2 - 0.35 = -0.295"

    def test_digits_are_added_until_the_printed_sum_is_the_printed_number(self):
        terms = [num(1.00004), num(-1.00001)]
        statement = Statement(Symbol("d", "d"), 3e-5, total(terms))
        assert statement.digits == 6
        assert statement.text == "d = 1.00004 − 1.00001 = 3e−5"

    def test_long_sums_show_the_largest_terms_and_what_is_left(self):
        text = total([num(float(k)) for k in range(1, 11)]).write(4, False)
        assert text == "6 + 7 + 8 + 9 + 10 + (5 more terms: 15)"

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0.0, "0"), (-0.5, "−0.5"), (123456.0, "123500"), (1e-4, "0.0001"), (9.9996, "10"), (1e20, "1e20"),
         (math.nan, "nan"), (-math.inf, "−inf"), (12.0, "12"), (1.23456e-7, "1.235e−7")],
    )  # fmt: skip
    def test_numbers(self, value, text):
        assert arithmetic.number(value) == text
        assert math.isnan(value) or arithmetic.read(text) == pytest.approx(value, rel=1e-3)

    def test_the_reader_of_these_tests_sees_a_wrong_number(self):
        assert evaluate("1/(1 + e^−0.505)") == pytest.approx(0.6236336, abs=1e-7)
        assert evaluate("|0.5 − 2|·3² + (5 more terms: −1) + max(0, −2)") == 12.5
        assert evaluate("−0.5·(2 − 3)/4") == 0.125


class TestEveryFormula:
    @pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
    @pytest.mark.parametrize("name", ACTIVATIONS)
    def test_activation(self, name):
        random = np.random.default_rng(3)
        model = hw.Sequential([hw.Input((3,)), layers.Dense(4, name, name="first"), layers.Activation(name, name="own"),
                               layers.Dense(8, name, name="second"), layers.Dense(2, name="out")])  # fmt: skip
        model.compile("sgd", "mse")
        scale = 0.05 if name == "exponential" else 0.4  # thrice e^e^z would be infinite
        model.set_weights([scale * random.normal(size=w.shape) for w in model.get_weights()])
        assert everything_checks(model, random.normal(size=(5, 3)), random.normal(size=(5, 2))) > 100

    @pytest.mark.parametrize(("loss", "activation", "kind"), LOSSES, ids=str)
    def test_loss(self, loss, activation, kind):
        random = np.random.default_rng(4)
        model = hw.Sequential(
            [hw.Input((3,)), layers.Dense(4, "tanh", name="h"), layers.Dense(3, activation, name="o")]
        )
        model.compile("adam", loss)
        model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
        y, weight = targets(kind, 7, 3, random), random.uniform(0.5, 2.0, size=7)
        assert everything_checks(model, random.normal(size=(7, 3)), y, weight) > 30
        value = model.trace(random.normal(size=(7, 3)), y, weight).explain("loss[2]")
        assert len(value.lines[0].split(" = ")) == 3  # spelled out, not only told

    def test_the_loss_that_is_printed_is_the_loss(self):
        for loss, activation, kind in LOSSES:
            random = np.random.default_rng(5)
            model = hw.Sequential([hw.Input((2,)), layers.Dense(3, activation, name="o")])
            model.compile("sgd", loss)
            x, y = random.normal(size=(6, 2)), targets(kind, 6, 3, random)
            line = model.trace(x, y).explain("loss[3]").lines[0]
            value = evaluate(line.split(" = ")[-2])
            assert value == pytest.approx(model.trace(x, y).row_losses[3], rel=2e-3), str(loss)

    @pytest.mark.parametrize("training", [True, False])
    def test_layers_that_only_training_changes(self, training):
        random = np.random.default_rng(6)
        model = hw.Sequential([
            hw.Input((3,)), layers.Dense(4, "tanh", kernel_regularizer=hw.regularizers.L1L2(0.01, 0.02), name="first"),
            layers.BatchNormalization(name="normal"), layers.Dropout(0.4, name="drop"),
            layers.GaussianNoise(0.1, name="noise"), layers.Dense(12, "relu", name="wide"),
            layers.BatchNormalization(scale=False, center=False, name="bare"), layers.Dense(2, name="out"),
        ])  # fmt: skip
        model.compile("adam", "mse")
        x, y = random.normal(size=(9, 3)), random.normal(size=(9, 2))
        model.fit(x, y, epochs=2, verbose=0)
        assert everything_checks(model, x, y, training=training) > 100

    @pytest.mark.parametrize(
        "rule",
        [optimizers.SGD(0.1), optimizers.SGD(0.1, momentum=0.9), optimizers.Adam(0.01), optimizers.RMSprop(0.01),
         optimizers.Lion(0.01), optimizers.Nadam(0.01), optimizers.SGD(0.1, clipnorm=0.1), optimizers.AdamW(0.01)],
        ids=["sgd", "momentum", "adam", "rmsprop", "lion", "nadam", "clipped", "adamw"],
    )  # fmt: skip
    def test_step(self, rule):
        random = np.random.default_rng(7)
        model = hw.Sequential([hw.Input((3,)), layers.Dense(4, "tanh", name="h"), layers.Dense(1, name="o")])
        model.compile(rule, "mse")
        x, y = random.normal(size=(6, 3)), random.normal(size=6)
        model.fit(x, y, epochs=3, verbose=0)
        trace = model.trace(x, y)
        lines = trace.explain("h.kernel[1,2]").lines
        assert check(trace.explain("h.kernel[1,2]")) > 5
        model.train_on_batch(x, y)
        assert lines[-1].endswith(f" = {arithmetic.number(float(model.layers[0].kernel[1, 2]))}")


class TestWords:
    @pytest.fixture
    def trace(self):
        model = hw.Sequential([hw.Input((2,)), layers.Dense(2, "sigmoid", name="hidden"),
                               layers.Dense(1, "sigmoid", name="out")])  # fmt: skip
        model.compile(optimizers.SGD(0.5), "binary_crossentropy")
        kernel = np.array([[0.15, 0.25], [0.2, 0.3]])
        model.set_weights([kernel, np.array([0.35, 0.35]), np.array([[0.4], [0.5]]), np.array([0.6])])
        return model.trace([0.5, 0.1], 1)

    def test_a_sum(self, trace):
        assert trace.explain("hidden.z[0]").text == (
            "hidden.z[0]: what unit 0 adds up\n  z₀ = x₀·W[0,0] + x₁·W[1,0] + b₀ = 0.5·0.15 + 0.1·0.2 + 0.35 = 0.445"
        )
        assert trace.explain("hidden.z[0]").value == pytest.approx(0.445)

    def test_an_activation(self, trace):
        assert trace.explain("hidden.a[1]").lines[-1] == "a₁ = 1/(1 + e^−0.505) = 0.6236"

    def test_the_chain_of_a_weight_reaches_the_loss_and_the_step(self, trace):
        lines = trace.explain("hidden.kernel[0,1]").lines
        assert lines[1] == "∂L/∂W[0,1] = ∂L/∂z₁·x₀ = −0.0281·0.5 = −0.01405"
        assert "∂L/∂z₀ = p₀ − y₀ = 0.7605 − 1 = −0.2395" in lines
        assert "l = −ln(0.76053) = 0.2737" in lines
        assert lines[-1] == "new W[0,1] = 0.25 + 0.007026 = 0.257"

    @pytest.mark.parametrize(
        "address", ["hidden.W[0,1]", "layers[0].kernel[0,1]", "layers[-2].dW[0,1]", " hidden.dkernel[0,1]"]
    )
    def test_other_spellings(self, trace, address):
        assert trace.explain(address).lines == trace.explain("hidden.kernel[0,1]").lines

    def test_one_unit_needs_no_index(self, trace):
        assert trace.explain("out.z").lines == trace.explain("out.z[0,0]").lines == trace.explain("out.z[0]").lines
        assert trace.explain("prediction").value == trace.prediction[0, 0]
        assert trace.explain("dinput[1]").value == trace.layers[0].dinput[0, 1]
        assert trace.explain("input[1]").value == 0.1

    def test_latex(self, trace):
        latex = trace.explain("hidden.dz[1]").latex
        assert latex.startswith("\\begin{aligned}\n\\frac{\\partial L}{\\partial z_{1}} &= ")
        assert latex.endswith("\n\\end{aligned}")
        assert latex.count("{") == latex.count("}")
        assert not re.search("[^\x00-\x7f]", latex)
        assert trace.explain("loss")._repr_latex_().startswith("$\\displaystyle \\begin{aligned}")

    def test_long_statements_are_broken_between_terms(self):
        model = hw.Sequential([hw.Input((30,)), layers.Dense(40, "tanh", kernel_regularizer="l2", name="a layer"),
                               layers.BatchNormalization(name="n"), layers.Dense(1, name="o")])  # fmt: skip
        model.compile("adam", "mse")
        random = np.random.default_rng(0)
        trace = model.trace(random.normal(size=(16, 30)), random.normal(size=16))
        explanation = trace.explain("a layer.kernel[3,1]")
        assert max(map(len, explanation.text.splitlines())) <= 100
        together = re.sub(r"\s+", "", explanation.text)
        assert all(re.sub(r"\s+", "", line) in together for line in explanation.lines)

    def test_the_short_way_is_not_told_where_the_loss_is_flat(self):
        model = hw.Sequential([hw.Input((1,)), layers.Dense(3, "softmax", name="out")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        for x, is_flat in ((1.0, False), (200.0, True)):  # e^-200 is below the clip of 1e-7
            model.set_weights([np.array([[1.0, 0.0, -1.0]]), np.zeros(3)])
            lines = model.trace([x], 2).explain("out.dz[1]").lines
            assert ("or at once, since loss and activation belong together:" in lines) != is_flat

    @pytest.mark.filterwarnings("ignore::hillwalker.errors.MistakeWarning")
    def test_a_name_with_dots(self):
        model = hw.Sequential([hw.Input((1,)), layers.Dense(1, name="a"), layers.Dense(1, name="a.z")])
        model.compile("sgd", "mse")
        trace = model.trace([[1.0]], [[2.0]])
        assert trace.explain("a.z.a[0]").value == trace.layers[1].a[0, 0]
        assert trace.explain("a.a[0]").value == trace.layers[0].a[0, 0]

    @pytest.mark.parametrize(
        ("address", "said"),
        [("hiden.z[0]", "hidden.z"), ("hidden.q", "one of loss, prediction"), ("hidden", "one of loss"),
         ("hidden.z[7]", "unit 0 to 1"), ("hidden.kernel[0]", "input 0 to 1, unit 0 to 1"), ("loss[1]", "row 0 to 0"),
         ("hidden.z[a]", "whole numbers"), ("layers[9].z[0]", "one of loss"), ("", "one of loss")],
    )  # fmt: skip
    def test_what_is_not_there(self, trace, address, said):
        with pytest.raises(InputError, match=re.escape(said)):
            trace.explain(address)

    def test_an_address_is_text(self, trace):
        with pytest.raises(InputTypeError, match="text"):
            trace.explain(3)

    def test_plain_values(self, trace):
        plain = trace.explain("hidden.z[0]").to_dict()
        assert plain["address"] == "hidden.z[0]"
        assert plain["value"] == pytest.approx(0.445)
        assert len(plain["lines"]) == 1
