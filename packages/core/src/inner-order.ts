/** Order of the elements of a region: tokens then heads (`nhd`), or heads then tokens (`hnd`); those of a head stay together. */
export type InnerOrder = 'nhd' | 'hnd'
