# Learning rates that fall: by step with a callback, by time inside the optimizer, and not at all.
import math

import numpy as np
from keras.callbacks import LearningRateScheduler
from keras.layers import Dense
from keras.models import Sequential
from keras.optimizers import SGD
from keras.optimizers.schedules import ExponentialDecay
from sklearn.datasets import load_digits
from sklearn.preprocessing import LabelBinarizer

np.random.seed(7)
X, labels = load_digits(return_X_y=True)
X = (X / 16.0).astype("float32")
Y = LabelBinarizer().fit_transform(labels)


def build():
    model = Sequential()
    model.add(Dense(34, input_dim=64, activation="relu"))
    model.add(Dense(10, activation="softmax"))
    return model


# learning rate schedule: drop by half every ten epochs
def step_decay(epoch):
    initial_lrate = 0.1
    drop = 0.5
    epochs_drop = 10.0
    lrate = initial_lrate * math.pow(drop, math.floor((1 + epoch) / epochs_drop))
    return lrate


model = build()
sgd = SGD(learning_rate=0.0, momentum=0.9)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
lrate = LearningRateScheduler(step_decay)
by_step = model.fit(X, Y, validation_split=0.33, epochs=30, batch_size=28, callbacks=[lrate], verbose=2)
print("learning rates:", [round(float(rate), 4) for rate in by_step.history["learning_rate"]][::10])

model = build()
schedule = ExponentialDecay(initial_learning_rate=0.1, decay_steps=500, decay_rate=0.5, staircase=True)
model.compile(loss="categorical_crossentropy", optimizer=SGD(schedule, momentum=0.9), metrics=["accuracy"])
by_time = model.fit(X, Y, validation_split=0.33, epochs=30, batch_size=28, verbose=0)
print("learning rate now:", float(model.optimizer.learning_rate))

model = build()
model.compile(loss="categorical_crossentropy", optimizer=SGD(lr=0.1, momentum=0.8, nesterov=True), metrics=["accuracy"])
constant = model.fit(X, Y, validation_split=0.33, epochs=30, batch_size=28, verbose=0)

last = [max(h.history["val_accuracy"]) for h in (by_step, by_time, constant)]
print("by step: %.4f, by time: %.4f, constant: %.4f" % tuple(last))
