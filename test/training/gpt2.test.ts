import { createGpt2 } from '../../examples/gpt2/model.js';
import { createStockGpt2 } from '../../examples/gpt2/stock.js';
import { describeTraining } from '../support/repeat_training.js';

describeTraining('gpt2', createGpt2, createStockGpt2);
