# Several answers at once: multi-label classification, and regression with three targets and sample weights.
import numpy as np
from keras.layers import Dense
from keras.models import Sequential
from sklearn.datasets import make_multilabel_classification, make_regression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import RepeatedKFold


def get_model(n_inputs, n_outputs):
    model = Sequential()
    model.add(Dense(20, input_dim=n_inputs, kernel_initializer="he_uniform", activation="relu"))
    model.add(Dense(n_outputs, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="adam")
    return model


def evaluate_model(X, y):
    results = []
    cv = RepeatedKFold(n_splits=4, n_repeats=1, random_state=1)
    for train_ix, test_ix in cv.split(X):
        model = get_model(X.shape[1], y.shape[1])
        model.fit(X[train_ix], y[train_ix], verbose=0, epochs=60)
        yhat = model.predict(X[test_ix], verbose=0).round()
        results.append(accuracy_score(y[test_ix], yhat))
        print(">%.3f" % results[-1])
    return results


X, y = make_multilabel_classification(n_samples=800, n_features=10, n_classes=3, n_labels=2, random_state=7)
results = evaluate_model(X, y)

X, y = make_regression(n_samples=600, n_features=10, n_informative=5, n_targets=3, noise=2.0, random_state=2)
y = y / 100.0
weight = np.linspace(0.2, 1.0, len(X))
regressor = Sequential()
regressor.add(Dense(20, input_dim=10, kernel_initializer="he_uniform", activation="relu"))
regressor.add(Dense(3))
regressor.compile(loss="mae", optimizer="adam", weighted_metrics=["mse"])
regressor.fit(X, y, sample_weight=weight, verbose=0, epochs=80, validation_split=0.2)
row = [X[0]]
print("Predicted: %s, actual %s" % (regressor.predict(np.array(row))[0], y[0]))
mae = regressor.evaluate(X, y, verbose=0)[0]
print("accuracy: %.4f, mae: %.4f" % (np.mean(results), mae))
