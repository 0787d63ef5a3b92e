// The same functions on Google's own framework for Node.js, which asks for nothing but exported functions.
'use strict';

exports.hello = (request, response) => {
  response.json({ greeting: `Hello, ${request.body.name}!` });
};

exports.fulfil = (event) => {
  const order = JSON.parse(Buffer.from(event.data.message.data, 'base64').toString());
  if (event.data.deliveryAttempt > 5 || !order.quantity || !order.item) {
    throw new Error('an order of nothing');
  }
};

// The framework hands over the bytes of the document as they came. They are not read here, which is to its advantage.
exports.watch = (event) => {
  if (!event.type.startsWith('google.cloud.firestore.document.v1.') || !event.data.length) {
    throw new Error('not a change of a document');
  }
};

exports.look = (event) => {
  if (event.type !== 'google.cloud.storage.object.v1.finalized' || event.data.size === '0' || !event.data.name.endsWith('.jpg')) {
    throw new Error('no picture');
  }
};
