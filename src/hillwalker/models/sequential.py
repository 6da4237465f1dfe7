"""`Sequential`: what Keras's model does, on layers in a stack.

Data are checked in `edge.py` before anything is computed or overwritten; training itself is in `training/loop.py`,
arithmetic in the engines.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hillwalker import config, engine, layers, losses, metrics, mistakes, optimizers, saving, utils
from hillwalker.errors import FileError, InputError, InputTypeError, StateError, explain
from hillwalker.layers import Layer
from hillwalker.losses import Loss
from hillwalker.models import edge, stack, summary
from hillwalker.models.edge import Edge
from hillwalker.optimizers import Optimizer
from hillwalker.parameters import FloatArray
from hillwalker.plan import Plan
from hillwalker.training import loop
from hillwalker.training.batches import Data
from hillwalker.training.callbacks import CallbackList, TerminateOnNaN
from hillwalker.training.history import History
from hillwalker.training.progress import VERBOSITIES, display
from hillwalker.training.state import State
from hillwalker.training.tracking import Tracker

if TYPE_CHECKING:
    from hillwalker.seeing.trace import Trace

Array = NDArray[Any]


class Sequential:
    """A stack of layers: each one's output is the next one's input.

    Args:
        layers: the layers, first to last; more can come with `add`.
        trainable: whether training moves the weights at all.
        name: the model's name.

    >>> import numpy as np
    >>> from hillwalker.layers import Dense, Input
    >>> model = Sequential([Input((2,)), Dense(8, activation="tanh"), Dense(1)])
    >>> model.compile(optimizer="adam", loss="mse")
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0]]); y = np.array([1.0, -1.0])
    >>> history = model.fit(X, y, epochs=300, verbose=0)
    >>> history.history["loss"][-1] < history.history["loss"][0]
    True
    >>> model.predict(X, verbose=0).shape
    (2, 1)
    """

    def __init__(self, layers: Sequence[Layer] | None = None, trainable: bool = True, name: str | None = None) -> None:
        self.name = utils.automatic_name("Sequential") if name is None else str(name)
        self._trainable = bool(trainable)
        self._layers: list[Layer] = []
        self._row_shape: stack.Shape | None = None
        self._seed = config.next_seed()
        self._state: State | None = None
        self._known: Edge | None = None
        self._told: set[str] = set()  # the names of the likely mistakes that were warned of: each once a model
        self.optimizer: Optimizer | None = None
        self.loss: Any = None
        self._loss: Loss | None = None
        self._metrics: list[Any] = []
        self._weighted_metrics: list[Any] = []
        self.history: History | None = None
        self.preprocessing: dict[str, Any] | None = None
        """What was done to the data before they came here, as plain JSON; it is saved with the model."""
        # What the loop and callbacks read and write
        self.first_epoch = 0
        self.stop_training = False
        self.stop_reason: str | None = None
        self.interrupted = False
        self.expects_non_finite = False
        stack.check(layers or [])
        self._layers = list(layers or [])
        self._build_if_known()

    # The stack

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input layer, as in Keras."""
        return stack.computing(self._layers)

    def add(self, layer: Layer) -> None:
        """Put one more layer on top of the stack."""
        stack.check([*self._layers, layer])
        self._layers.append(layer)
        try:
            self._build_if_known()
        except Exception:
            self._layers.pop()
            raise

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the top layer off the stack and return it."""
        if not self.layers:
            raise InputError(explain("pop of an empty model.", "a model with a layer.", "model.add(Dense(1))"))
        layer = self._layers.pop()
        layer.owner = None
        if self.layers:
            self._build_if_known()
        else:
            self._state = None
        return layer

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return the layer of this name or number."""
        if name is None and index is not None and -len(self.layers) <= index < len(self.layers):
            return self.layers[index]
        found = next((layer for layer in self.layers if layer.name == name), None)
        if found is None:
            passed = f"get_layer(name={name!r}, index={index!r})."
            names = ", ".join(layer.name for layer in self.layers)
            expected = f"one of {names}, or a number below {len(self.layers)}."
            raise InputError(explain(passed, expected, "model.get_layer(index=0)"))
        return found

    @property
    def trainable(self) -> bool:
        """Whether training moves the weights at all."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self._layers:
            layer.trainable = bool(value)
        if self._state is not None:
            self._state.trainable = bool(value)

    # Building: shapes, weights

    @property
    def built(self) -> bool:
        """Whether the shapes are known and the weights drawn."""
        return self._state is not None

    @property
    def state(self) -> State:
        """The weights and all else that training changes; StateError before the model is built."""
        if self._state is None:
            passed = f"the model {self.name!r}, which is not built."
            expected = "the shape of a row, in the first layer or in build."
            raise StateError(explain(passed, expected, "model.build((None, 20))"))
        return self._state

    @property
    def plan(self) -> Plan:
        """The layers in their places."""
        return self.state.plan

    def build(self, input_shape: Any = None) -> None:
        """Fix the shapes for inputs of `input_shape`, such as (None, 20), and draw the weights."""
        if input_shape is not None:
            if not isinstance(input_shape, (tuple, list)):
                raise InputTypeError(explain(f"build({input_shape!r}).", "a shape.", "model.build((None, 20))"))
            shape = tuple(input_shape)
            checked = layers.InputLayer(shape[1:] if len(shape) > 1 else shape, name="input").input_shape_wanted
            if self._row_shape not in (None, checked):
                passed = f"build({input_shape!r}) for a model of rows of shape {self._row_shape}."
                raise InputError(explain(passed, "the same shape.", "a new Sequential"))
            self._row_shape = checked
        self._build_if_known()
        _ = self.state

    def _build_if_known(self) -> None:
        if self._row_shape is None:
            self._row_shape = stack.row_shape(self._layers)
        if self._row_shape is not None and self.layers:
            self._build(self._row_shape)

    def _build(self, row_shape: stack.Shape) -> None:
        """Lay out the flat vector and draw the weights of layers that have none; a model in training starts afresh."""
        dtype = None if self._state is None else self._state.plan.dtype
        stack.lay_out(self._layers, row_shape, dtype)  # may refuse; nothing is changed yet
        own = stack.own(self._layers, self)
        drawn = stack.lay_out(own, row_shape, dtype)
        parameters = stack.draw(drawn)
        stack.adopt(drawn, parameters, self)
        self._layers, self._row_shape = own, row_shape
        self._take(State(drawn, parameters, self._seed))

    def _take(self, state: State) -> None:
        """Make a state this model's own, with the loss and the optimizer it was compiled with."""
        self._state = state
        state.trainable = self._trainable
        if self.optimizer is not None:
            state.train_with(self._loss, self.optimizer)

    def _build_for(self, x: Any, data: Array) -> None:
        """Build for the first data the model sees."""
        if self._state is None:
            flattens = isinstance(self.layers[0], layers.Flatten)
            self._build(tuple(np.shape(x)[1:]) if flattens and np.ndim(x) > 1 else (data.shape[1],))

    def _unbuild(self) -> None:
        """Go back to before `_build_for`, because the call that built the model was refused."""
        for layer in self._layers:
            layer.values, layer.owner = {}, None
        self._state, self._row_shape = None, stack.row_shape(self._layers)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The shape of the inputs, None for the batch."""
        _ = self.state
        return (None, *(self._row_shape or ()))

    @property
    def output_shape(self) -> tuple[int | None, int]:
        """The shape of the outputs, None for the batch."""
        return (None, self.plan.output_width)

    @property
    def _inputs(self) -> int | None:
        return None if self._row_shape is None else math.prod(self._row_shape)

    # Weights

    @property
    def weights(self) -> list[FloatArray]:
        """All weights, as views into the flat vector, in Keras's order."""
        return [segment.view(self.state.parameters) for segment in self.plan.segments]

    @property
    def trainable_weights(self) -> list[FloatArray]:
        """The weights that training moves, as views."""
        return [] if not self._trainable else [segment.view(self.state.parameters) for segment in self.plan.trained]

    def get_weights(self) -> list[FloatArray]:
        """Return copies of all weights, in Keras's order."""
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Overwrite all weights with arrays of the same shapes; nothing is overwritten if one does not fit."""
        layers.overwrite(self.weights, weights, f"the model {self.name!r}", "model")

    def count_params(self) -> int:
        """Return how many numbers the weights hold."""
        return sum(math.prod(segment.shape) for segment in self.plan.segments)

    def summary(
        self, line_length: int | None = None, positions: Any = None, print_fn: Any = None, **others: Any
    ) -> None:
        """Print the layers, their output shapes and how many numbers each holds."""
        (print_fn or print)(summary.summary(self, line_length))

    # Compiling

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: None = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how to train: the optimizer, the loss, and what to measure.

        Args:
            optimizer: by name or as an object.
            loss: by name, as an object, or a function of (y_true, y_pred) written with NumPy.
            metrics: names, objects or functions of (y_true, y_pred), measured on every row alike.
            weighted_metrics: the same, with sample weights.
            loss_weights: None: there is one output.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: Keras's; the engine needs none of them.
        """
        edge.only_none(loss_weights=loss_weights)
        chosen, chosen_loss = (
            edge.own_optimizer(optimizer, self),
            None if loss is None else losses.get(edge.only_one(loss, "loss")),
        )
        plain = edge.metric_list(metrics, "metrics")
        weighted = edge.metric_list(weighted_metrics, "weighted_metrics")
        edge.check_metrics([*plain, *weighted], chosen_loss)
        mistakes.warn(self._layers, edge.kind(chosen_loss), self._told, self._inputs)
        chosen.owner = self
        self.optimizer, self.loss, self._loss = chosen, loss, chosen_loss
        self._metrics, self._weighted_metrics = plain, weighted
        if self._state is not None:
            self._state.train_with(chosen_loss, chosen)
            self._state.target_width = None

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self.optimizer is not None

    @property
    def metrics(self) -> list[metrics.Metric]:
        """The metrics as objects, once the model has seen targets."""
        return [] if self._state is None else [*self._state.tracker.metrics, *self._state.tracker.weighted_metrics]

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns."""
        return ["loss", *([] if self._state is None else self._state.tracker.names)]

    def _track(self, target_columns: int) -> None:
        """Resolve the metrics for targets of this many columns."""
        if self.state.target_width == target_columns:
            return

        def resolved(identifiers: list[Any]) -> list[metrics.Metric]:
            return [metrics.get(name, target_columns, self.plan.output_width, self._loss) for name in identifiers]

        tracker = Tracker(resolved(self._metrics), resolved(self._weighted_metrics))
        self.state.measure_with(tracker, target_columns)

    # Training

    @property
    def _edge(self) -> Edge:
        plan, known = None if self._state is None else self._state.plan, self._known
        if known is None or plan is None or known.plan is not plan or known.loss is not self._loss:
            dtype = engine.precision() if plan is None else plan.dtype
            self._known = known = Edge(self.layers, self._row_shape, plan, dtype, self._loss, self._told)
        return known

    def _ready(self, x: Any, data: Data) -> State:
        """Build for the data where needed, resolve the metrics, and return the state."""
        self._build_for(x, data.x)
        assert data.y is not None
        self._track(data.y.shape[1])
        return self.state

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: None = None,
        validation_steps: None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        *,
        seeds: int | Iterable[int] | None = None,
    ) -> History:
        """Train on x (n, inputs) and y (n,) or (n, outputs), and return the curves.

        Args:
            batch_size: rows a step; 32 when None.
            epochs: the number of the last epoch, counted from 1; training begins after `initial_epoch` ones.
            verbose: "auto", 0 (nothing), 1 (a bar) or 2 (a line an epoch).
            callbacks: objects from `hillwalker.callbacks`.
            validation_split: the share of the rows, taken from the end before any shuffling, that is only validated on.
            validation_data: (x, y) or (x, y, sample_weight) to validate on instead.
            shuffle: whether each epoch takes the rows in a new order.
            class_weight: class number -> weight of its rows.
            sample_weight: one weight a row.
            validation_batch_size: rows a validation step; `batch_size` when None.
            validation_freq: validate every so many epochs, or after the epochs in a list, counted from 1.
            seeds: how many, or which: after this model, new copies of it (`hw.copies`) are trained alike from these
                seeds, side by side; their curves are `history.seeds`, and `history.plot()` shows their band. The model
                itself and its curves are what they are without. Of callbacks, EarlyStopping goes with it.
        """
        edge.only_none(steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        rows = edge.batch_size(batch_size, "fit")
        last = edge.not_negative_integer("epochs", epochs, "model.fit(X, y, epochs=10)")
        first = edge.not_negative_integer(
            "initial_epoch", initial_epoch, "model.fit(X, y, epochs=20, initial_epoch=10)"
        )
        validation_rows = rows
        if validation_batch_size is not None:
            validation_rows = edge.batch_size(validation_batch_size, "fit", "validation_batch_size")
        settings = loop.Settings(last, rows, bool(shuffle), edge.frequency(validation_freq), validation_rows)
        everything = self._edge.data(x, y, sample_weight)
        of_classes = self._edge.class_weights(everything, class_weight)
        training, validation = self._edge.validation(everything, validation_split, validation_data)
        training = training.weighted(of_classes)
        together = CallbackList(callbacks, add_progbar=verbose not in (0, "0"))
        display(verbose, sys.stdout)  # may refuse
        from_seeds = None
        if seeds is not None:
            from hillwalker.models.seeds import FromSeeds

            from_seeds = FromSeeds(self, seeds, together.callbacks, first, settings)

        assert self._loss is not None
        params = {
            "verbose": verbose,
            "epochs": last,
            "steps": -(-len(training) // rows),
            "batch_size": rows,
            "samples": len(training),
            "validation_freq": settings.validation_freq,
            "loss": self._loss.kind or self._loss.name,
        }
        was_built, last_history = self.built, self.history
        try:
            state = self._ready(x, everything)
            edge.check_own_functions(state, training)
            self._warn_of_mistakes(training)
            self.history, self.first_epoch = History(params=params), first
            self.stop_training, self.stop_reason, self.interrupted = False, None, False
            self.expects_non_finite = any(isinstance(callback, TerminateOnNaN) for callback in together.callbacks)
            together.set_model(self)
            together.set_params(params)
            together.set_data(training)
            together.on_train_begin()  # where a backup is restored, with the epoch to go on from
        except BaseException:
            together.close()
            self.history = last_history
            if not was_built:
                self._unbuild()
            raise
        began = time.perf_counter()
        try:
            loop.fit(self, state, training, validation, settings, together)
        finally:
            together.close()
            self.history = self.history.ended(self.interrupted, self.stop_reason, time.perf_counter() - began)
        if from_seeds is not None and not self.interrupted:
            with suppress(KeyboardInterrupt):  # this model is trained, and has its curves
                others = from_seeds.train(self, training, validation, settings, verbose)
                self.history = replace(self.history, seeds=others)
        return self.history

    def _warn_of_mistakes(self, data: Data, told: set[str] | None = None, stacklevel: int = 4) -> None:
        """Look at the rows that training begins with: what has been trained on once is as it was meant."""
        if self.optimizer is not None and self.optimizer.iterations == 0:
            told = self._told if told is None else told
            kind = edge.kind(self._loss)
            mistakes.warn(self._layers, kind, told, self._inputs, data.x, data.y, stacklevel=stacklevel)

    def resume_from(self, epoch: int, history: Mapping[str, Any]) -> None:
        """Begin the training at this epoch instead, with the curves of the epochs before; a callback says so."""
        assert self.history is not None
        self.first_epoch = epoch
        self.history.epoch[:] = [int(number) for number in history.get("epoch", [])]
        self.history.history.clear()
        self.history.history.update({name: list(values) for name, values in history.get("history", {}).items()})

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Do one step on the rows of one batch; return its loss and metrics, as they were before the step.

        A batch whose loss is not finite is not learned from.
        """
        data = self._edge.data(x, y, sample_weight, call="train_on_batch")
        if class_weight is not None:
            data = data.weighted(self._edge.class_weights(data, class_weight))
        state = self._ready(x, data)
        loop.train_on_batch(state, data)
        return self._returned(return_dict)

    # Measuring and predicting

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **others: Any,
    ) -> Any:
        """Return the loss on x and y, or a list of the loss and each metric (a dict with `return_dict`)."""
        edge.only_none(steps=steps)
        rows = edge.batch_size(batch_size, "evaluate")
        data = self._edge.data(x, y, sample_weight, call="evaluate")
        state = self._ready(x, data)
        self._observed(callbacks, verbose, data, rows, "test", lambda seen: loop.evaluate(state, data, rows, seen))
        return self._returned(return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Return the loss and the metrics of the rows of one batch; nothing is trained."""
        data = self._edge.data(x, y, sample_weight, call="test_on_batch")
        loop.evaluate(self._ready(x, data), data, len(data))
        return self._returned(return_dict)

    def reset_metrics(self) -> None:
        """Forget the rows that were measured last; every call that measures begins with it, as in Keras."""
        self.state.tracker.reset()

    def _returned(self, return_dict: bool) -> Any:
        results = self.state.tracker.results()
        if return_dict:
            return results
        return list(results.values()) if len(results) > 1 else results["loss"]

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: None = None, callbacks: Any = None
    ) -> Array:
        """Return the outputs, shape (n, outputs), for x (n, inputs)."""
        if steps is not None:
            edge.only_none(steps=steps)
        rows = edge.batch_size(batch_size, "predict")
        if not callbacks and verbose in VERBOSITIES and (quick := self._edge.quick(x)) is not None:
            return loop.predict_quickly(self.state, quick, rows)  # over before a bar could be seen
        data, state = self._to_predict(x)
        outputs: list[Array] = []
        self._observed(
            callbacks,
            verbose,
            data,
            rows,
            "predict",
            lambda seen: outputs.append(loop.predict(state, data, rows, seen)),
        )
        return outputs[0]

    def predict_on_batch(self, x: Any) -> Array:
        """Return the outputs for the rows of one batch."""
        if (quick := self._edge.quick(x)) is not None:
            return loop.predict_quickly(self.state, quick, len(quick))
        data, state = self._to_predict(x)
        return loop.predict(state, data, len(data))

    def __call__(self, x: Any, training: bool = False) -> Array:
        """Return the outputs for x, as `predict` does, without progress."""
        if training:
            passed = "model(x, training=True)."
            raise InputError(explain(passed, "training=False; fit is how a model trains.", "model(x)"))
        return self.predict_on_batch(x)

    def _to_predict(self, x: Any) -> tuple[Data, State]:
        inputs = edge.flat(self._edge.inputs(x))
        self._build_for(x, inputs)
        return Data(inputs, None, None, self.plan.dtype), self.state

    def _observed(
        self, callbacks: Any, verbose: Any, data: Data, rows: int, kind: str, job: Callable[[CallbackList | None], None]
    ) -> None:
        """Do a job that is no training, with its callbacks around it."""
        if not callbacks and verbose in (0, "0"):
            job(None)
            return
        steps = -(-len(data) // rows)
        together = CallbackList(callbacks, verbose not in (0, "0"), self, verbose=verbose, steps=steps, epochs=1)
        try:
            getattr(together, f"on_{kind}_begin")()
            job(together)
            getattr(together, f"on_{kind}_end")(self.state.tracker.results() if kind == "test" else None)
        finally:
            together.close()

    # Looking

    def trace(self, x: Any, y: Any = None, sample_weight: Any = None, training: bool = True) -> Trace:
        """Return every number of one pass, forward and backward, as training would do it next; nothing is changed.

        Args:
            x: one row (inputs,) or a batch (B, inputs).
            y: its target or targets, as `fit` takes them.
            sample_weight: one weight a row.
            training: with the coming step's dropout masks and the batch's own statistics; False: as `evaluate` sees it.
        """
        from hillwalker.seeing.passes import traced

        x, y, sample_weight = edge.one_row(x, y, sample_weight, self._row_shape)
        data = self._edge.data(x, y, sample_weight, call="trace")
        return traced(self.state, data, bool(training))  # a model without weights is refused, not built by looking

    # Configuration and files

    def get_config(self) -> dict[str, Any]:
        """Return the architecture as plain JSON values; from_config builds it again, with new weights."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [layers.serialize(layer) for layer in self._layers],
            "build_input_shape": None if self._row_shape is None else [None, *self._row_shape],
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Sequential:
        """Return a new model of the architecture that `get_config` described."""
        made = [layers.deserialize(layer, custom_objects) for layer in config["layers"]]
        model = cls(made, config.get("trainable", True), config.get("name"))
        if config.get("build_input_shape") and not model.built:
            model.build(config["build_input_shape"])
        return model

    def to_json(self, **options: Any) -> str:
        """Return `get_config` as a JSON text; `hillwalker.models.model_from_json` reads it."""
        return json.dumps({"class_name": "Sequential", "config": self.get_config()}, **options)

    def get_compile_config(self) -> dict[str, Any] | None:
        """Return what `compile` was told as plain JSON values, or None."""
        if self.optimizer is None:
            return None

        def written(identifiers: list[Any]) -> list[Any]:
            return [name if isinstance(name, str) else metrics.serialize(metrics.get(name)) for name in identifiers]

        return {
            "optimizer": optimizers.serialize(self.optimizer),
            "loss": None if self._loss is None else losses.serialize(self._loss),
            "metrics": written(self._metrics),
            "weighted_metrics": written(self._weighted_metrics),
        }

    def snapshot(self, include_optimizer: bool = True) -> tuple[saving.Arrays, saving.Metadata]:
        """Return everything that training depends on: arrays by name, and plain JSON."""
        arrays, numbers = self.state.to_arrays(include_optimizer)
        metadata: saving.Metadata = {
            "model": self.get_config(),
            "dtype": self.plan.dtype,
            "compile": self.get_compile_config() if include_optimizer else None,
            "preprocessing": self.preprocessing,
            "state": numbers,
        }
        return arrays, metadata

    def restore(self, arrays: Mapping[str, Array], metadata: Mapping[str, Any]) -> None:
        """Take over weights, optimizer state and seed from a snapshot of a model of the same architecture."""
        self.state.from_arrays(arrays, metadata["state"])

    def save(self, filepath: Any, overwrite: bool = True, include_optimizer: bool = True, **options: Any) -> None:
        """Write one safetensors file: architecture, weights, optimizer state, preprocessing and versions.

        It is written beside its place and then moved there, so a file that is there is always whole. Any name will do;
        `.keras` and `.h5` are accepted with a warning, since Keras cannot read the file.
        """
        saving.write(edge.path_to_write(filepath, overwrite), *self.snapshot(include_optimizer))

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights alone to a safetensors file; `load_weights` reads them."""
        arrays, metadata = self.snapshot(include_optimizer=False)
        saving.write(edge.path_to_write(filepath, overwrite), arrays, {"state": metadata["state"]})

    def load_weights(self, filepath: Any, **options: Any) -> None:
        """Take over the weights, in their order, of a file that `save_weights` or `save` wrote."""
        edge.only_none(**options)
        arrays, metadata = saving.read(filepath)
        try:
            weights = [arrays[name] for name in metadata["state"]["weights"]]
        except (KeyError, TypeError) as error:
            expected = "a file that model.save_weights or model.save wrote."
            raise FileError(explain(f"{str(filepath)!r}, which holds no model's weights.", expected)) from error
        self.set_weights(weights)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickled model, whose layers must be views into its vector again."""
        self.__dict__.update(state)
        if self._state is not None:
            stack.adopt(self._state.plan, self._state.parameters, self)

    def __repr__(self) -> str:
        return f"<Sequential name={self.name}, built={self.built}>"
