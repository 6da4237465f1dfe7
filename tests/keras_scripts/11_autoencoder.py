# An autoencoder of the digits: compress 64 pixels to 12 numbers, reconstruct, and classify from the code.
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from tensorflow.keras import layers, regularizers
from tensorflow.keras.models import Sequential

x, labels = load_digits(return_X_y=True)
x = x.astype("float32") / 16.0
x_train, x_test = x[:1300], x[1300:]

encoding_dim = 12
autoencoder = Sequential(name="autoencoder")
autoencoder.add(layers.Dense(48, activation="relu", input_shape=(64,)))
autoencoder.add(
    layers.Dense(encoding_dim, activation="relu", name="code", kernel_regularizer=regularizers.l2(1e-6))
)
autoencoder.add(layers.Dense(48, activation="relu"))
autoencoder.add(layers.Dense(64, activation="sigmoid"))
autoencoder.compile(optimizer="adam", loss="binary_crossentropy", metrics=["mse"])
autoencoder.summary()

history = autoencoder.fit(
    x_train, x_train, epochs=60, batch_size=64, shuffle=True, validation_data=(x_test, x_test), verbose=0
)
decoded = autoencoder.predict(x_test)
print("shape of the code's kernel:", autoencoder.get_layer("code").get_weights()[0].shape)

encoder = Sequential(autoencoder.layers[:2])
codes_train, codes_test = encoder.predict(x_train), encoder.predict(x_test)
classifier = LogisticRegression(max_iter=2000).fit(codes_train, labels[:1300])

n = 8
plt.figure(figsize=(12, 3))
for i in range(n):
    for row, picture in enumerate((x_test[i], decoded[i])):
        ax = plt.subplot(2, n, i + 1 + row * n)
        plt.imshow(picture.reshape(8, 8))
        ax.get_xaxis().set_visible(False)
plt.savefig("reconstructions.png")

val_mse = history.history["val_mse"][-1]
baseline = np.mean((x_test - x_train.mean(axis=0)) ** 2)
accuracy = classifier.score(codes_test, labels[1300:])
print(f"val mse: {val_mse:.4f}, share explained: {1 - val_mse / baseline:.4f}, accuracy from the code: {accuracy:.4f}")
