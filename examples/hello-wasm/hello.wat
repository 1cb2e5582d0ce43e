;; A function in 40 lines of WebAssembly text: a WASI command that answers with its event.
;; Any language that compiles to `wasm32-wasip1` or `wasm32-wasip2` makes the same: the event comes on standard
;; input, standard output is the answer, standard error is the log.
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "{\"message\":\"Hello from WebAssembly\",\"event\":")
  (data (i32.const 128) "}")
  (data (i32.const 192) "an event came\n")

  ;; Writes `len` bytes at `at` to a descriptor.
  (func $put (param $to i32) (param $at i32) (param $len i32)
    (i32.store (i32.const 16) (local.get $at))
    (i32.store (i32.const 20) (local.get $len))
    (drop (call $fd_write (local.get $to) (i32.const 16) (i32.const 1) (i32.const 24))))

  (func (export "_start") (local $len i32)
    (call $put (i32.const 2) (i32.const 192) (i32.const 14))
    (call $put (i32.const 1) (i32.const 64) (i32.const 44))
    (block $end
      (loop $more
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 4096))
        (br_if $end (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (local.set $len (i32.load (i32.const 8)))
        (br_if $end (i32.eqz (local.get $len)))
        (call $put (i32.const 1) (i32.const 1024) (local.get $len))
        (br $more)))
    (call $put (i32.const 1) (i32.const 128) (i32.const 1))))
