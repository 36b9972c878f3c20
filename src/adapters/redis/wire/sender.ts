/** Who sends, as far as events tell it. */
export interface Sender {
  readonly agentId: string;
  readonly resourceGroup: string | null;
  /** `tcp://host:port` of the RPC server. */
  readonly rpcAddress: string;
}
