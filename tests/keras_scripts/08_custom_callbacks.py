# Callbacks of one's own: losses of each batch, a score of scikit-learn's each epoch, stop when good enough.
import keras
import numpy as np
from keras.layers import Dense, Input
from keras.models import Sequential
from sklearn.datasets import load_wine
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


class LossHistory(keras.callbacks.Callback):
    def on_train_begin(self, logs={}):
        self.losses = []

    def on_batch_end(self, batch, logs={}):
        self.losses.append(logs.get("loss"))


class F1Callback(keras.callbacks.Callback):
    def __init__(self, validation_data):
        super().__init__()
        self.x_val, self.y_val = validation_data
        self.scores = []

    def on_epoch_end(self, epoch, logs=None):
        predicted = self.model.predict(self.x_val, verbose=0).argmax(axis=1)
        score = f1_score(self.y_val, predicted, average="macro")
        self.scores.append(score)
        logs["val_f1"] = score
        if epoch % 10 == 0:
            print(f"epoch {epoch}: f1 {score:.3f}, learning rate {float(self.model.optimizer.learning_rate):.4f}")


class StopWhenGood(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if logs.get("accuracy") > 0.995:
            print("\nReached 99.5% accuracy so cancelling training!")
            self.model.stop_training = True


X, y = load_wine(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
scaler = StandardScaler()
X_train = scaler.fit_transform(X_train)
X_val = scaler.transform(X_val)

model = Sequential([Input(shape=(13,)), Dense(16, activation="relu"), Dense(3, activation="softmax")])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
loss_history = LossHistory()
f1 = F1Callback((X_val, y_val))
history = model.fit(
    X_train, y_train, batch_size=8, epochs=100, callbacks=[loss_history, f1, StopWhenGood()], verbose=0
)

epochs = len(history.history["loss"])
assert len(loss_history.losses) == epochs * int(np.ceil(len(X_train) / 8))
assert len(f1.scores) == epochs < 100
print(f"epochs: {epochs}, last batch loss: {loss_history.losses[-1]:.4f}, f1: {f1.scores[-1]:.4f}")
