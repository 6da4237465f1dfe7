# A table with categories: scikit-learn prepares it, the network learns, scikit-learn judges.
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.class_weight import compute_class_weight
from tensorflow.keras.layers import Dense, Dropout
from tensorflow.keras.models import Sequential

values, churned = make_classification(
    n_samples=2000, n_features=6, n_informative=5, n_redundant=0, weights=[0.75], class_sep=1.2, random_state=11
)
data = pd.DataFrame(values, columns=["CreditScore", "Age", "Tenure", "Balance", "Salary", "Products"])
data["Geography"] = pd.cut(data.pop("Products"), 3, labels=["France", "Germany", "Spain"]).astype(str)
data["Gender"] = np.where(data.pop("Tenure") > 0, "Female", "Male")
data["Exited"] = churned
X = data.drop("Exited", axis=1)
y = data["Exited"]

numeric = ["CreditScore", "Age", "Balance", "Salary"]
preprocess = Pipeline(
    [
        (
            "columns",
            ColumnTransformer(
                [
                    ("num", StandardScaler(), numeric),
                    ("cat", OneHotEncoder(drop="first", sparse_output=False), ["Geography", "Gender"]),
                ]
            ),
        )
    ]
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
X_train = preprocess.fit_transform(X_train)
X_test = preprocess.transform(X_test)
weights = compute_class_weight("balanced", classes=np.unique(y_train), y=y_train)

# Initialising the ANN
classifier = Sequential()
classifier.add(Dense(units=16, kernel_initializer="uniform", activation="relu", input_dim=X_train.shape[1]))
classifier.add(Dropout(rate=0.1))
classifier.add(Dense(units=16, kernel_initializer="uniform", activation="relu"))
classifier.add(Dense(units=1, kernel_initializer="uniform", activation="sigmoid"))
classifier.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy", "AUC"])
classifier.fit(X_train, y_train, batch_size=10, epochs=30, class_weight=dict(enumerate(weights)), verbose=0)

y_prob = classifier.predict(X_test)
y_pred = y_prob > 0.5
cm = confusion_matrix(y_test, y_pred)
print(cm)
print(classification_report(y_test, y_pred.astype(int).ravel()))
print(f"accuracy: {accuracy_score(y_test, y_pred):.4f}, auc: {roc_auc_score(y_test, y_prob):.4f}")
