# Time series with a plain dense network: the last 20 values predict the next one.
import numpy
from keras.layers import Dense
from keras.models import Sequential
from sklearn.metrics import mean_squared_error
from sklearn.preprocessing import MinMaxScaler

numpy.random.seed(7)
t = numpy.arange(1200)
dataset = numpy.sin(0.1 * t) + 0.4 * numpy.sin(0.27 * t) + numpy.random.normal(0, 0.05, len(t))
dataset = dataset.reshape(-1, 1).astype("float32")


# convert an array of values into a dataset matrix
def create_dataset(dataset, look_back=1):
    dataX, dataY = [], []
    for i in range(len(dataset) - look_back - 1):
        dataX.append(dataset[i : (i + look_back), 0])
        dataY.append(dataset[i + look_back, 0])
    return numpy.array(dataX), numpy.array(dataY)


# normalize the dataset, split in time order
train_size = int(len(dataset) * 0.67)
scaler = MinMaxScaler(feature_range=(0, 1)).fit(dataset[:train_size])
train, test = scaler.transform(dataset[:train_size]), scaler.transform(dataset[train_size:])
look_back = 20
trainX, trainY = create_dataset(train, look_back)
testX, testY = create_dataset(test, look_back)

model = Sequential()
model.add(Dense(12, input_dim=look_back, activation="relu"))
model.add(Dense(8, activation="relu"))
model.add(Dense(1))
model.compile(loss="mean_squared_error", optimizer="adam")
model.fit(trainX, trainY, epochs=100, batch_size=16, verbose=0, shuffle=False)

trainScore = model.evaluate(trainX, trainY, verbose=0)
testScore = model.evaluate(testX, testY, verbose=0)
print("Train Score: %.5f MSE (%.4f RMSE)" % (trainScore, numpy.sqrt(trainScore)))

# invert predictions
testPredict = scaler.inverse_transform(model.predict(testX))
actual = scaler.inverse_transform([testY])
rmse = numpy.sqrt(mean_squared_error(actual[0], testPredict[:, 0]))
persistence = numpy.sqrt(mean_squared_error(actual[0][1:], actual[0][:-1]))

# forecast forty steps from its own predictions
window = list(testX[0])
for _ in range(40):
    window.append(model.predict(numpy.array([window[-look_back:]]), verbose=0)[0, 0])
print("forecast:", numpy.round(window[-5:], 2))
print("test mse: %.5f, rmse: %.4f, persistence: %.4f" % (testScore, rmse, persistence))
