/** How etcd is reached, and whose configuration is read there (state.md §5). */
export interface EtcdSettings {
  readonly endpoints: readonly { readonly host: string; readonly port: number }[];
  /** Cluster name: every key lies below `/sorna/{namespace}/`. */
  readonly namespace: string;
  readonly scopes: EtcdScopes;
  readonly credentials?: { readonly user: string; readonly password: string };
  /** PEM documents. Absent = plain text. */
  readonly tls?: {
    /** Absent = the certificate authorities that Node.js knows. */
    readonly ca?: Uint8Array;
    readonly client?: { readonly cert: Uint8Array; readonly key: Uint8Array };
    readonly skipVerify: boolean;
  };
}

/** Names that go into the scope prefixes, unquoted. */
export interface EtcdScopes {
  readonly agentId: string;
  readonly resourceGroup: string;
}
