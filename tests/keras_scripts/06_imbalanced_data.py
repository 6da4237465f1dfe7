# Classification of imbalanced data: many metrics, an initial bias, class weights, early stopping on the PR curve.
import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tensorflow import keras

keras.utils.set_random_seed(1)
X, y = make_classification(
    n_samples=4000, n_features=12, n_informative=6, weights=[0.95], class_sep=1.5, flip_y=0.0, random_state=5
)
neg, pos = np.bincount(y)
print(f"Examples: {neg + pos}, positive: {pos} ({100 * pos / (neg + pos):.2f}% of total)")

train_x, test_x, train_y, test_y = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
train_x, val_x, train_y, val_y = train_test_split(train_x, train_y, test_size=0.2, random_state=0, stratify=train_y)
scaler = StandardScaler()
train_x = np.clip(scaler.fit_transform(train_x), -5, 5)
val_x = np.clip(scaler.transform(val_x), -5, 5)
test_x = np.clip(scaler.transform(test_x), -5, 5)


def make_model(output_bias=None):
    if output_bias is not None:
        output_bias = keras.initializers.Constant(output_bias)
    model = keras.Sequential(
        [
            keras.layers.Dense(16, activation="relu", input_shape=(train_x.shape[-1],)),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1, activation="sigmoid", bias_initializer=output_bias or "zeros"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=1e-2),
        loss=keras.losses.BinaryCrossentropy(),
        metrics=[
            keras.metrics.TruePositives(name="tp"),
            keras.metrics.FalsePositives(name="fp"),
            keras.metrics.TrueNegatives(name="tn"),
            keras.metrics.FalseNegatives(name="fn"),
            keras.metrics.BinaryAccuracy(name="accuracy"),
            keras.metrics.Precision(name="precision"),
            keras.metrics.Recall(name="recall"),
            keras.metrics.AUC(name="auc"),
            keras.metrics.AUC(name="prc", curve="PR"),
        ],
    )
    return model


weight_for_0 = (1 / neg) * ((neg + pos) / 2.0)
weight_for_1 = (1 / pos) * ((neg + pos) / 2.0)
class_weight = {0: weight_for_0, 1: weight_for_1}

early_stopping = keras.callbacks.EarlyStopping(
    monitor="val_prc", verbose=1, patience=10, mode="max", restore_best_weights=True
)
model = make_model(output_bias=np.log([pos / neg]).item())
history = model.fit(
    train_x,
    train_y,
    batch_size=128,
    epochs=60,
    verbose=0,
    callbacks=[early_stopping],
    validation_data=(val_x, val_y),
    class_weight=class_weight,
)
results = model.evaluate(test_x, test_y, batch_size=128, verbose=0, return_dict=True)
for name, value in results.items():
    print(name, ": ", value)
print(f"recall: {results['recall']:.4f}, auc: {results['auc']:.4f}, accuracy: {results['accuracy']:.4f}")
