# Exercise 2: train an MLP on make_classification and plot the loss curves.
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from tensorflow import keras
from tensorflow.keras import layers

X, y = make_classification(n_samples=1000, n_features=20, n_informative=10, random_state=42)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.2, random_state=42)

model = keras.Sequential(
    [
        layers.Input(shape=(20,)),
        layers.Dense(64, activation="relu"),
        layers.Dense(32, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
history = model.fit(X_train, y_train, epochs=60, batch_size=32, validation_data=(X_val, y_val), verbose=0)

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
left.plot(history.history["loss"], label="train loss")
left.plot(history.history["val_loss"], label="val loss")
left.set_xlabel("epoch")
left.legend()
right.plot(history.history["accuracy"], label="train accuracy")
right.plot(history.history["val_accuracy"], label="val accuracy")
right.legend()
fig.savefig("loss_curves.png")

first, last = history.history["loss"][0], history.history["loss"][-1]
lowest = min(history.history["val_loss"])
gap = history.history["val_loss"][-1] - last
print("overfitting" if gap > 0.1 else "good fit")
print(f"train loss fell from: {first:.4f}, to: {last:.4f}, lowest val loss: {lowest:.4f}, gap: {gap:.4f}")
