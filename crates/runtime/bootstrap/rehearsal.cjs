'use strict';
// Loaded by children that nobody waits for, so that to load a function is not the first time.

const path = require('path');

class Example {
  constructor(value) {
    this.value = value;
  }
}

exports.handler = (event) => ({ event, base: path.basename('/a/b'), list: [1, 2].map((number) => new Example(number)) });
