# Extension: vanilla gradient descent against momentum, Nesterov, RMSprop and Adam on the same start.
import numpy as np
from keras import optimizers
from keras.layers import Dense
from keras.models import Sequential
from keras.utils import set_random_seed
from sklearn.datasets import make_circles

X, y = make_circles(n_samples=800, noise=0.1, factor=0.4, random_state=1)

candidates = {
    "sgd": optimizers.SGD(learning_rate=0.05),
    "momentum": optimizers.SGD(learning_rate=0.05, momentum=0.9),
    "nesterov": optimizers.SGD(learning_rate=0.05, momentum=0.9, nesterov=True),
    "rmsprop": optimizers.RMSprop(learning_rate=0.01),
    "adam": optimizers.Adam(learning_rate=0.01),
}
results = {}
start = None
for name, optimizer in candidates.items():
    set_random_seed(3)
    model = Sequential([Dense(12, activation="tanh", input_dim=2), Dense(1, activation="sigmoid")])
    if start is None:
        start = model.get_weights()
    model.set_weights(start)
    model.compile(loss="binary_crossentropy", optimizer=optimizer)
    history = model.fit(X, y, epochs=20, batch_size=32, verbose=0)
    results[name] = history.history["loss"]
    reached = np.argmax(np.array(results[name]) < 0.3) if min(results[name]) < 0.3 else None
    print(f"{name:10s} final loss {results[name][-1]:.4f}, below 0.3 after epoch {reached}")

print(", ".join(f"{name}: {losses[-1]:.4f}" for name, losses in results.items()))
