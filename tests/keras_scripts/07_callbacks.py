# Every callback at once, then the best model from its file.
import csv
import os

from keras.callbacks import (
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from keras.layers import Dense, Dropout
from keras.models import Sequential, load_model
from keras.optimizers import Adam
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler

x, y = load_breast_cancer(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=45)
scaler = MinMaxScaler()
scaler.fit(x_train)
x_train = scaler.transform(x_train)
x_test = scaler.transform(x_test)

model = Sequential()
model.add(Dense(64, activation="relu", input_shape=(30,)))
model.add(Dropout(0.2))
model.add(Dense(32, activation="relu"))
model.add(Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer=Adam(learning_rate=0.003), metrics=["accuracy"])

os.makedirs("checkpoints", exist_ok=True)
es = EarlyStopping(monitor="val_loss", patience=15, mode="min", verbose=1, restore_best_weights=True)
mc = ModelCheckpoint("best_model.keras", monitor="val_loss", mode="min", save_best_only=True, verbose=0)
every = ModelCheckpoint("checkpoints/{epoch:02d}-{val_loss:.4f}.keras", save_freq="epoch")
reduce_lr = ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=5, min_lr=1e-5, verbose=1)
logger = CSVLogger("training.log", separator=",", append=False)
talk = LambdaCallback(on_epoch_end=lambda epoch, logs: print(f"epoch {epoch}", sorted(logs)) if epoch == 0 else None)

history = model.fit(
    x_train,
    y_train,
    epochs=60,
    batch_size=32,
    verbose=0,
    validation_split=0.2,
    callbacks=[es, mc, every, reduce_lr, logger, talk, TerminateOnNaN()],
)

with open("training.log") as file:
    rows = list(csv.DictReader(file))
files = os.listdir("checkpoints")
assert len(rows) == len(files) == len(history.history["loss"])
saved_model = load_model("best_model.keras")
best = min(history.history["val_loss"])
assert any(f"{best:.4f}" in name for name in files)
_, train_acc = saved_model.evaluate(x_train, y_train, verbose=0)
test_loss, test_acc = saved_model.evaluate(x_test, y_test, verbose=0)
restored_loss = model.evaluate(x_test, y_test, verbose=0)[0]
print(f"train accuracy: {train_acc:.4f}, test accuracy: {test_acc:.4f}, difference: {test_loss - restored_loss:.6f}")
