/** Of a kernel one of whose outputs may take the place of an input of its size. */
export interface InPlaceAttrs {
  /** Whether the caller does not read that input again. Others may hold its data, for which the kernel looks. Default false. */
  inPlace?: boolean;
}
