// Who a query came from.

/** Who asks: octets of the address, and by what. */
export type Sender = {
  addresses: Uint8Array;
  addressAt: number;
  addressOctets: number;
  isStream: boolean;
  /** Seconds since 1970. */
  now: number;
};
