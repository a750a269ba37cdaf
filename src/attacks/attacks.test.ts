// One file runs all classes, on one backend: loading its modules takes longer than all of these.
import './paths';
import './rules';
import './headers';
import './credentials';
import './signatures';
import './vectors';
import './connections';
