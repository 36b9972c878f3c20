/** Where an effective value came from. */
export type Origin =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly file: string; /** As it is spelled there. */ readonly key: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'option'; readonly name: string }
  | { readonly kind: 'etcd'; readonly key: string };

export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'default':
      return 'default';
    case 'file':
      return `${origin.file}: ${origin.key}`;
    case 'env':
      return `env ${origin.name}`;
    case 'option':
      return `option ${origin.name}`;
    case 'etcd':
      return `etcd ${origin.key}`;
  }
}
