// The first module of every run.
import { guardTest, ready } from './backend.js';

before(ready);

beforeEach(function () {
  guardTest(this.currentTest as Mocha.Test);
});
