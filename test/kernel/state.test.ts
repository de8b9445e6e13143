import { stateSemantics } from '../core/state-semantics.ts'
import { newKernel } from './subjects.ts'

stateSemantics('the kernel', (limits) => newKernel(limits))
