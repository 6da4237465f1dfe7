# "Basic regression": pandas frames, statistics of the training set, a callback that prints dots, curves as a frame.
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import make_friedman1
from tensorflow import keras
from tensorflow.keras import layers

features, target = make_friedman1(n_samples=800, n_features=7, noise=1.0, random_state=3)
names = ["Cylinders", "Displacement", "Horsepower", "Weight", "Acceleration", "Year", "Doors"]
dataset = pd.DataFrame(features, columns=names)
dataset["MPG"] = target

train_dataset = dataset.sample(frac=0.8, random_state=0)
test_dataset = dataset.drop(train_dataset.index)
train_labels = train_dataset.pop("MPG")
test_labels = test_dataset.pop("MPG")
train_stats = train_dataset.describe().transpose()


def norm(x):
    return (x - train_stats["mean"]) / train_stats["std"]


normed_train_data = norm(train_dataset)
normed_test_data = norm(test_dataset)


def build_model():
    model = keras.Sequential(
        [
            layers.Dense(64, activation="relu", input_shape=[len(train_dataset.keys())]),
            layers.Dense(64, activation="relu"),
            layers.Dense(1),
        ]
    )
    optimizer = keras.optimizers.RMSprop(0.001)
    model.compile(loss="mse", optimizer=optimizer, metrics=["mae", "mse"])
    return model


class PrintDot(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs):
        if epoch % 100 == 0:
            print("")
        print(".", end="")


model = build_model()
model.summary()
print(model.predict(normed_train_data[:10]))
early_stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10)
history = model.fit(
    normed_train_data,
    train_labels,
    epochs=200,
    validation_split=0.2,
    verbose=0,
    callbacks=[early_stop, PrintDot()],
)

hist = pd.DataFrame(history.history)
hist["epoch"] = history.epoch
print(hist.tail())
plt.plot(hist["epoch"], hist["mae"], label="Train Error")
plt.plot(hist["epoch"], hist["val_mae"], label="Val Error")
plt.legend()
plt.savefig("history.png")

loss, mae, mse = model.evaluate(normed_test_data, test_labels, verbose=2)
test_predictions = model.predict(normed_test_data).flatten()
error = test_predictions - test_labels
print(f"test mae: {mae:.4f}, test mae by hand: {error.abs().mean():.4f}, test mse: {mse:.4f}")
