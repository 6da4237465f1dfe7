# "Basic classification" with images: scale to [0, 1], Flatten, logits out, softmax afterwards.
import matplotlib
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

matplotlib.use("Agg")
import matplotlib.pyplot as plt

digits = load_digits()
images, labels = digits.images, digits.target
train_images, test_images = images[:1400] / 16.0, images[1400:] / 16.0
train_labels, test_labels = labels[:1400], labels[1400:]
print(train_images.shape, len(train_labels))

model = tf.keras.Sequential(
    [
        tf.keras.layers.Flatten(input_shape=(8, 8)),
        tf.keras.layers.Dense(128, activation="relu"),
        tf.keras.layers.Dense(10),
    ]
)

model.compile(
    optimizer="adam",
    loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(train_images, train_labels, epochs=25)

test_loss, test_acc = model.evaluate(test_images, test_labels, verbose=2)
print("\nTest accuracy:", test_acc)

logits = model.predict(test_images)
exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
predictions = exponentials / exponentials.sum(axis=1, keepdims=True)

# one image needs a batch of its own
img = np.expand_dims(test_images[0], 0)
single = model.predict(img)
print(single.shape, np.argmax(single[0]))

plt.figure(figsize=(6, 3))
for i in range(6):
    plt.subplot(2, 3, i + 1)
    plt.xticks([])
    plt.yticks([])
    plt.imshow(test_images[i], cmap=plt.cm.binary)
    plt.xlabel(f"{np.argmax(predictions[i])} {100 * np.max(predictions[i]):2.0f}% ({test_labels[i]})")
plt.savefig("digits.png")
print(f"test loss: {test_loss:.4f}, test accuracy: {test_acc:.4f}")
