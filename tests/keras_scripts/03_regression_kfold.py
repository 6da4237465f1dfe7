# Regression with k-fold cross-validation: a function that builds the model, a loop over the folds.
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from tensorflow.keras.layers import Dense
from tensorflow.keras.models import Sequential

X, y = load_diabetes(return_X_y=True)
print(X.shape, y.shape)


def build_model(n_inputs):
    model = Sequential()
    model.add(Dense(20, input_dim=n_inputs, kernel_initializer="normal", activation="relu"))
    model.add(Dense(12, kernel_initializer="normal", activation="relu"))
    model.add(Dense(1, kernel_initializer="normal"))
    model.compile(loss="mean_squared_error", optimizer="adam", metrics=["mae"])
    return model


kfold = KFold(n_splits=5, shuffle=True, random_state=1)
scores, baselines = [], []
for fold, (train, test) in enumerate(kfold.split(X, y)):
    scaler = StandardScaler().fit(X[train])
    model = build_model(X.shape[1])
    model.fit(scaler.transform(X[train]), y[train], epochs=100, batch_size=5, verbose=0)
    mse, mae = model.evaluate(scaler.transform(X[test]), y[test], verbose=0)
    print(f"Score for fold {fold + 1}: {model.metrics_names[0]} of {mse:.1f}; mae of {mae:.2f}")
    scores.append(mse)
    baselines.append(np.mean((y[test] - y[train].mean()) ** 2))

print("Baseline: %.1f (%.1f) MSE" % (np.mean(scores), np.std(scores)))
print("mse: %.1f, r2: %.4f" % (np.mean(scores), 1 - np.mean(scores) / np.mean(baselines)))
