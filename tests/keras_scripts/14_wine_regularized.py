# Everything against overfitting in one network: l2 penalties, batch normalization, dropout, noise, early stopping.
import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tensorflow.keras import regularizers
from tensorflow.keras.callbacks import EarlyStopping
from tensorflow.keras.layers import Activation, BatchNormalization, Dense, Dropout, GaussianNoise
from tensorflow.keras.models import Sequential
from tensorflow.keras.optimizers import Adam
from tensorflow.keras.utils import to_categorical

wine = load_wine()
X = wine["data"]
y = to_categorical(wine["target"], num_classes=3)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0, stratify=wine.target)
sc = StandardScaler()
X_train = sc.fit_transform(X_train)
X_test = sc.transform(X_test)

model = Sequential()
model.add(GaussianNoise(0.1, input_shape=(13,)))
model.add(Dense(64, kernel_initializer="he_normal", kernel_regularizer=regularizers.l2(0.001), use_bias=False))
model.add(BatchNormalization())
model.add(Activation("relu"))
model.add(Dropout(0.3))
model.add(Dense(32, kernel_initializer="he_normal", kernel_regularizer=regularizers.l1_l2(l1=1e-5, l2=1e-4)))
model.add(BatchNormalization(momentum=0.9))
model.add(Activation("relu"))
model.add(Dropout(0.3))
model.add(Dense(3, activation="softmax"))
model.compile(
    optimizer=Adam(learning_rate=0.003, beta_1=0.9, beta_2=0.999, clipnorm=1.0),
    loss="categorical_crossentropy",
    metrics=["acc"],
)
model.summary()

es = EarlyStopping(monitor="val_loss", min_delta=1e-4, patience=25, restore_best_weights=True)
hist = model.fit(X_train, y_train, epochs=120, batch_size=16, validation_split=0.15, callbacks=[es], verbose=0)
best = int(np.argmin(hist.history["val_loss"]))
print("best epoch", best + 1, "of", len(hist.epoch), "val_acc", hist.history["val_acc"][best])

loss, acc = model.evaluate(X_test, y_test, verbose=0)
y_pred = model.predict(X_test).argmax(axis=1)
assert abs((y_pred == y_test.argmax(axis=1)).mean() - acc) < 1e-6
print(f"loss: {loss:.4f}, acc: {acc:.4f}")
