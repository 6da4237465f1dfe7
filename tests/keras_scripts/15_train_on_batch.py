# A training loop by hand: shuffle, take batches, train_on_batch, test_on_batch, look at weights on the way.
import numpy as np
from keras.layers import Dense
from keras.models import Sequential
from sklearn.datasets import make_blobs

rng = np.random.default_rng(0)
X, y = make_blobs(n_samples=900, centers=4, n_features=3, cluster_std=1.5, random_state=2)
X = (X - X.mean(axis=0)) / X.std(axis=0)
X_train, y_train, X_test, y_test = X[:700], y[:700], X[700:], y[700:]

model = Sequential()
model.add(Dense(16, activation="relu", input_shape=(3,), name="hidden"))
model.add(Dense(4, activation="softmax", name="out"))
model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
before = model.get_layer("hidden").get_weights()[0]

batch_size = 20
steps = len(X_train) // batch_size
for epoch in range(30):
    order = rng.permutation(len(X_train))
    model.reset_metrics()
    for step in range(steps):
        rows = order[step * batch_size : (step + 1) * batch_size]
        loss, acc = model.train_on_batch(X_train[rows], y_train[rows])
    if epoch % 10 == 9:
        model.reset_metrics()
        val = model.test_on_batch(X_test, y_test)
        print(f"epoch {epoch + 1}: train loss {loss:.3f}, accuracy {acc:.3f}; test loss {val[0]:.3f}")

W, b = model.layers[0].get_weights()
print("shapes", W.shape, b.shape, "moved by", np.abs(W - before).mean())
probabilities = model.predict_on_batch(X_test)

# the forward pass by hand gives the same
h = np.maximum(X_test @ W + b, 0)
W2, b2 = model.layers[1].get_weights()
z = h @ W2 + b2
by_hand = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
largest = np.abs(by_hand - probabilities).max()
accuracy = (np.argmax(probabilities, axis=1) == y_test).mean()
print(f"test accuracy: {accuracy:.4f}, largest difference: {largest:.6f}")
