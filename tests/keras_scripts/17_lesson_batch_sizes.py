# Exercise 3: batch sizes 16, 64 and 256 compared.
import matplotlib

matplotlib.use("Agg")
import keras
import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

X, y = make_classification(n_samples=1600, n_features=20, n_informative=8, n_redundant=4, random_state=0)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.25, random_state=0)


def make_model():
    keras.utils.set_random_seed(0)  # the same start for each
    model = keras.models.Sequential()
    model.add(keras.layers.Dense(32, activation="relu", input_shape=(20,)))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer=keras.optimizers.Adam(), loss="binary_crossentropy", metrics=["accuracy"])
    return model


histories = {}
for batch_size in [16, 64, 256]:
    model = make_model()
    histories[batch_size] = model.fit(
        X_train, y_train, epochs=30, batch_size=batch_size, validation_data=(X_val, y_val), verbose=0
    )

plt.figure(figsize=(8, 5))
for batch_size, history in histories.items():
    (line,) = plt.plot(history.history["loss"], label=f"train, batch {batch_size}")
    plt.plot(history.history["val_loss"], "--", color=line.get_color(), label=f"val, batch {batch_size}")
plt.xlabel("Epoch")
plt.ylabel("Loss")
plt.legend()
plt.tight_layout()
plt.savefig("batch_sizes.png", dpi=80)

losses = {b: h.history["loss"][-1] for b, h in histories.items()}
print(", ".join(f"batch {b}: {loss:.4f}" for b, loss in losses.items()))
