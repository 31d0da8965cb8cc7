import type { LayerKeyword } from './layer_replacements.js';
