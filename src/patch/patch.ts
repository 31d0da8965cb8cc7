import { engine, getGlobalTensorClass } from '@tensorflow/tfjs-core';
