# Quantile regression with a loss of one's own, and a metric of one's own: prediction intervals from three networks.
import keras
import numpy as np
from keras import layers
from sklearn.datasets import make_regression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

keras.utils.set_random_seed(0)
X, y = make_regression(n_samples=1500, n_features=5, noise=30.0, random_state=1)
y = y / y.std()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=1)
scaler = StandardScaler().fit(X_train)


def quantile_loss(q):
    def loss(y_true, y_pred):
        e = y_true - y_pred
        return np.mean(np.maximum(q * e, (q - 1) * e), axis=-1)

    return loss


def share_below(y_true, y_pred):
    return np.mean(1.0 * (y_true < y_pred), axis=-1)


predictions = {}
for q in (0.1, 0.5, 0.9):
    model = keras.Sequential(
        [layers.Input(shape=(5,)), layers.Dense(24, activation="elu"), layers.Dense(1, name="quantile")]
    )
    model.compile(optimizer=keras.optimizers.Adam(5e-3), loss=quantile_loss(q), metrics=[share_below])
    history = model.fit(
        scaler.transform(X_train), y_train, epochs=30, batch_size=32, validation_split=0.1, verbose=0, shuffle=True
    )
    print(q, {name: round(values[-1], 3) for name, values in history.history.items()})
    predictions[q] = model.predict(scaler.transform(X_test), verbose=0)[:, 0]

covered = np.mean((predictions[0.1] <= y_test) & (y_test <= predictions[0.9]))
median_error = np.mean(np.abs(predictions[0.5] - y_test))
print(f"coverage of the 80% interval: {covered:.4f}, mae of the median: {median_error:.4f}")
