/** The version of this package. */
export const sdkVersion = '1.0.0';
