import { ModelState } from '../../src/core/model/model-state.ts'
import { stateSemantics } from './state-semantics.ts'

stateSemantics('the model', (limits) => new ModelState(limits))
