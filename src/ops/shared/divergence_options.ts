import { integer, oneOf, tensor } from '../../checks/config_schema.js';

/** Which rows of a divergence count. */
export const rowOptions = {
  /** `[...]`, int32: rows whose label is `ignoreIndex` don't count. All do by default. */
  labels: tensor(['...'], 'int32'),
  /** The label of rows that don't count. Default -100. */
  ignoreIndex: integer(-100),
} as const;

/** How the elements of a divergence become its loss. */
export const reductionOption = {
  /** 'mean' over all elements, 'batchmean': their sum over the number of rows, 'sum', or 'none': each element's own. Default 'mean'. */
  reduction: oneOf(['mean', 'batchmean', 'sum', 'none'], 'mean'),
} as const;
