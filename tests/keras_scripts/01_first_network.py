# My first neural network, as the old tutorials build it: load the data, define, compile, fit, evaluate.
import numpy
from keras.layers import Dense
from keras.models import Sequential
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

# fix random seed for reproducibility
seed = 7
numpy.random.seed(seed)

# load the data set, split into input (X) and output (Y) variables
dataset = load_breast_cancer()
X = StandardScaler().fit_transform(dataset.data)
Y = dataset.target

# create model
model = Sequential()
model.add(Dense(12, input_dim=30, kernel_initializer="uniform", activation="relu"))
model.add(Dense(8, kernel_initializer="uniform", activation="relu"))
model.add(Dense(1, kernel_initializer="uniform", activation="sigmoid"))

# compile and fit the model
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(X, Y, epochs=40, batch_size=10, verbose=0)

# evaluate the model
scores = model.evaluate(X, Y)
print("\n%s: %.2f%%" % (model.metrics_names[1], scores[1] * 100))

# round predictions
predictions = model.predict(X)
rounded = [round(x[0]) for x in predictions]
right = sum(int(a) == int(b) for a, b in zip(rounded, Y, strict=True))
print("%d of %d right, training accuracy: %.4f" % (right, len(Y), scores[1]))
