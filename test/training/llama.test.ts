import { createLlama } from '../../examples/llama/model.js';
import { createStockLlama } from '../../examples/llama/stock.js';
import { describeTraining } from '../support/repeat_training.js';

describeTraining('llama', createLlama, createStockLlama);
