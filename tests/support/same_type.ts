/** Tests of types: the compiler refuses a wrong claim, since the checks include all tests. */

/** Whether two types are the same, and not only assignable to each other. */
export type IsSame<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2)
  ? true
  : false;

/** Claims that two types are the same, or that they are not. */
export function same<A, B>(_claim: IsSame<A, B>): void {}
