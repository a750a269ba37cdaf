export { main } from './run';
