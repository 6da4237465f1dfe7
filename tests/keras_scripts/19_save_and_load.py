# Save and load: the architecture as JSON, weights alone, the whole model; then train on.
import os

import keras
import numpy as np
from keras.layers import Dense
from keras.models import Sequential, load_model, model_from_json
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

X, y = load_diabetes(return_X_y=True)
X = StandardScaler().fit_transform(X)
y = (y - y.mean()) / y.std()

model = Sequential()
model.add(Dense(32, input_dim=10, activation="relu"))
model.add(Dense(1))
model.compile(loss=keras.losses.Huber(delta=1.0), optimizer=keras.optimizers.Adam(1e-3), metrics=["mae"])
model.fit(X, y, epochs=15, batch_size=16, verbose=0)
before = model.predict(X, verbose=0)

# serialize model to JSON, weights to a file of their own
model_json = model.to_json()
with open("model.json", "w") as json_file:
    json_file.write(model_json)
model.save_weights("model.weights.h5")
print("Saved model to disk")

with open("model.json") as json_file:
    loaded_model = model_from_json(json_file.read())
loaded_model.load_weights("model.weights.h5")
loaded_model.compile(loss="mse", optimizer="rmsprop", metrics=["mae"])
assert np.array_equal(loaded_model.predict(X, verbose=0), before)

# the whole model, optimizer included
model.save("model.keras")
print(os.path.getsize("model.keras"), "bytes")
whole = load_model("model.keras")
assert np.array_equal(whole.predict(X, verbose=0), before)
assert int(whole.optimizer.iterations) == int(model.optimizer.iterations)
first = model.evaluate(X, y, verbose=0)
history = whole.fit(X, y, epochs=30, initial_epoch=15, batch_size=16, verbose=0)
assert history.epoch == list(range(15, 30))

# a copy of the architecture with new weights
fresh = Sequential.from_config(model.get_config())
fresh.set_weights([np.zeros_like(w) for w in fresh.get_weights()])
assert not fresh.predict(X, verbose=0).any()
last = whole.evaluate(X, y, verbose=0)
print(f"loss before: {first[0]:.4f}, loss after: {last[0]:.4f}, mae: {last[1]:.4f}")
