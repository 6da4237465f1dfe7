# A decision boundary on the two moons: the network is asked at every point of a grid.
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import tensorflow.keras as keras
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

keras.utils.set_random_seed(42)
X, y = make_moons(n_samples=600, noise=0.2, random_state=42)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=42, stratify=y)

model = keras.Sequential()
model.add(keras.Input(shape=(2,)))
model.add(keras.layers.Dense(16))
model.add(keras.layers.Activation("tanh"))
model.add(keras.layers.Dense(16))
model.add(keras.layers.LeakyReLU())
model.add(keras.layers.Dense(1, activation="sigmoid"))
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=0.01),
    loss=keras.losses.binary_crossentropy,
    metrics=[keras.metrics.BinaryAccuracy()],
)
history = model.fit(X_train, y_train, epochs=80, validation_data=(X_test, y_test), verbose=0)


def plot_decision_boundary(model, X, y):
    amin, bmin = X.min(axis=0) - 0.1
    amax, bmax = X.max(axis=0) + 0.1
    aa, bb = np.meshgrid(np.linspace(amin, amax, 101), np.linspace(bmin, bmax, 101))
    ab = np.c_[aa.ravel(), bb.ravel()]
    cc = model.predict(ab, batch_size=1024).reshape(aa.shape)
    plt.figure(figsize=(8, 5))
    plt.contourf(aa, bb, cc, cmap="bwr", alpha=0.2)
    plt.plot(X[y == 0, 0], X[y == 0, 1], "ob", alpha=0.5)
    plt.plot(X[y == 1, 0], X[y == 1, 1], "xr", alpha=0.5)
    plt.savefig("boundary.png")


plot_decision_boundary(model, X, y)
eval_result = model.evaluate(X_test, y_test)
print(f"\n\nTest loss: {eval_result[0]:.4f}, Test accuracy: {eval_result[1]:.4f}")
