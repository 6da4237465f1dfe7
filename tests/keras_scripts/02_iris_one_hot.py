# Multi-class classification of the iris flowers from a data frame with the species as strings.
import numpy as np
from keras.layers import Dense
from keras.models import Sequential
from keras.utils import np_utils
from sklearn.datasets import load_iris
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder

np.random.seed(7)

iris = load_iris(as_frame=True)
dataframe = iris.frame
dataframe["species"] = [iris.target_names[i] for i in iris.target]
X = dataframe.values[:, 0:4].astype(float)
Y = dataframe["species"].values

# encode class values as integers, then as dummy variables (one hot encoded)
encoder = LabelEncoder()
encoder.fit(Y)
encoded_Y = encoder.transform(Y)
dummy_y = np_utils.to_categorical(encoded_Y)

X_train, X_test, Y_train, Y_test = train_test_split(X, dummy_y, test_size=0.33, random_state=42)


def baseline_model():
    model = Sequential()
    model.add(Dense(8, input_dim=4, activation="relu"))
    model.add(Dense(3, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


model = baseline_model()
print(model.summary())
model.fit(X_train, Y_train, epochs=200, batch_size=5, verbose=0)

predicted = np.argmax(model.predict(X_test), axis=-1)
actual = np.argmax(Y_test, axis=1)
print(confusion_matrix(actual, predicted))
print(encoder.inverse_transform(predicted[:5]))
loss, accuracy = model.evaluate(X_test, Y_test, verbose=0)
print("test loss: %.4f, test accuracy: %.4f" % (loss, accuracy))
