/** Trains the transformer layers that tfjs-layers has and does not export, which needs what tfjs lacks. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type * as Tf from '@tensorflow/tfjs';
import { MultiHeadAttention } from '@tensorflow/tfjs-layers/dist/layers/nlp/multihead_attention.js';
import { TransformerDecoder } from '@tensorflow/tfjs-layers/dist/layers/nlp/modeling/transformer_decoder.js';
import { patch } from '../../src/index.js';

export { MultiHeadAttention, TransformerDecoder, patch };
