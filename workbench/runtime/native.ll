; The fixed native part of the runtime: thread pool, instruction loop, interrupt guard, memory.
;
; Words in double braces are filled in by native.py for the platform. Structures are arrays of 8-byte slots:
;
;   context  0 ptr interrupt flag (i32)   1 ptr parallel_for   2 ptr pool   3 ptr alloc
;            4 ptr free                   5 ptr i64 detail[4]  6 i64 helpers (threads - 1)
;   segment  0 ptr instructions  1 i64 count  2 ptr context  3 i64 failed (out)
;            4 ptr i64 times[count + 1] or null              5 i64 guard (1: catch SIGINT)
;   instruction  0 ptr kernel    1 ptr arguments
;
; The pool (512 bytes, zeroed, 64-byte aligned), offsets in bytes; what one side writes often has
; a cache line of its own:
;
;     0 i32 epoch     a new value announces a job; idle workers sleep on it
;    64 i32 gate      2 * active workers + 1 while the job is open
;    68 i32 owner     1 while the owner of the job sleeps on the gate
;   128 i64 next      first iteration that nobody took
;   192 i32 sleepers  196 i32 stop   200 i32 busy
;   256 ptr body      264 ptr closure   272 ptr context   280 i64 end   288 i64 chunk
;   296 i32 status    300 i32 helpers
;
; A worker that wakes late finds the gate closed and goes back to sleep: nobody waits for it.

target triple = "{{triple}}"

@old_action = internal global [256 x i8] zeroinitializer, align 16
@new_action = internal global [256 x i8] zeroinitializer, align 16
@guarded_flag = internal global ptr null

declare i64 @syscall(i64, ...)
declare i32 @sigaction(i32, ptr, ptr)
declare i32 @clock_gettime(i32, ptr)
declare ptr @aligned_alloc(i64, i64)
declare void @free(ptr)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
{{declare_pause}}

; --- memory -----------------------------------------------------------------------------------

define ptr @wb_alloc(i64 %bytes) {
  %negative = icmp slt i64 %bytes, 0
  br i1 %negative, label %none, label %some
some:
  %more = add i64 %bytes, 127
  %rounded = and i64 %more, -64
  %memory = call ptr @aligned_alloc(i64 64, i64 %rounded)
  ret ptr %memory
none:
  ret ptr null
}

define void @wb_free(ptr %memory) {
  call void @free(ptr %memory)
  ret void
}

; --- thread pool ------------------------------------------------------------------------------

define internal void @sleep_while(ptr %word, i32 %value) {
  {{futex_wait}}
  ret void
}

define internal void @wake(ptr %word, i32 %count) {
  {{futex_wake}}
  ret void
}

define i32 @wb_serial_for(ptr %ctx, ptr %body, ptr %closure, i64 %begin, i64 %end) {
  %status = tail call i32 %body(ptr %ctx, ptr %closure, i64 %begin, i64 %end)
  ret i32 %status
}

define i32 @wb_parallel_for(ptr %ctx, ptr %body, ptr %closure, i64 %begin, i64 %end) {
entry:
  %count = sub i64 %end, %begin
  %helpers.p = getelementptr i8, ptr %ctx, i64 48
  %helpers = load i64, ptr %helpers.p
  %few = icmp slt i64 %count, 2
  %alone = icmp slt i64 %helpers, 1
  %direct = or i1 %few, %alone
  br i1 %direct, label %serial, label %take
take:
  %pool.p = getelementptr i8, ptr %ctx, i64 16
  %pool = load ptr, ptr %pool.p
  %busy = getelementptr i8, ptr %pool, i64 200
  %taken = cmpxchg ptr %busy, i32 0, i32 1 acquire monotonic
  %free = extractvalue { i32, i1 } %taken, 1
  br i1 %free, label %job, label %serial
serial:
  %direct.status = tail call i32 %body(ptr %ctx, ptr %closure, i64 %begin, i64 %end)
  ret i32 %direct.status
job:
  %next = getelementptr i8, ptr %pool, i64 128
  %body.p = getelementptr i8, ptr %pool, i64 256
  %closure.p = getelementptr i8, ptr %pool, i64 264
  %ctx.p = getelementptr i8, ptr %pool, i64 272
  %end.p = getelementptr i8, ptr %pool, i64 280
  %chunk.p = getelementptr i8, ptr %pool, i64 288
  %status.p = getelementptr i8, ptr %pool, i64 296
  %limit.p = getelementptr i8, ptr %pool, i64 300
  %helpers.32 = trunc i64 %helpers to i32
  %threads = add i64 %helpers, 1
  %pieces = shl i64 %threads, 2
  %share = udiv i64 %count, %pieces
  %tiny = icmp eq i64 %share, 0
  %chunk = select i1 %tiny, i64 1, i64 %share
  store ptr %body, ptr %body.p
  store ptr %closure, ptr %closure.p
  store ptr %ctx, ptr %ctx.p
  store i64 %end, ptr %end.p
  store i64 %chunk, ptr %chunk.p
  store atomic i32 0, ptr %status.p monotonic, align 4
  store atomic i32 %helpers.32, ptr %limit.p monotonic, align 4
  store atomic i64 %begin, ptr %next monotonic, align 8
  %gate = getelementptr i8, ptr %pool, i64 64
  store atomic i32 1, ptr %gate release, align 4
  %epoch.old = atomicrmw add ptr %pool, i32 1 seq_cst
  %sleepers.p = getelementptr i8, ptr %pool, i64 192
  %sleepers = load atomic i32, ptr %sleepers.p seq_cst, align 4
  %asleep = icmp sgt i32 %sleepers, 0
  br i1 %asleep, label %rouse, label %work
rouse:
  call void @wake(ptr %pool, i32 %helpers.32)
  br label %work
work:
  call void @drain(ptr %pool)
  %closing = atomicrmw and ptr %gate, i32 -2 seq_cst
  %others = and i32 %closing, -2
  %alone.now = icmp eq i32 %others, 0
  br i1 %alone.now, label %done, label %spin
spin:
  %turn = phi i32 [ 0, %work ], [ %turn.next, %spin.again ]
  %seen = load atomic i32, ptr %gate acquire, align 4
  %left = icmp eq i32 %seen, 0
  br i1 %left, label %done, label %spin.wait
spin.wait:
  {{pause}}
  %turn.next = add i32 %turn, 1
  %patient = icmp slt i32 %turn.next, {{spins}}
  br i1 %patient, label %spin.again, label %block
spin.again:
  br label %spin
block:
  %owner.p = getelementptr i8, ptr %pool, i64 68
  store atomic i32 1, ptr %owner.p seq_cst, align 4
  br label %block.check
block.check:
  %still = load atomic i32, ptr %gate seq_cst, align 4
  %gone = icmp eq i32 %still, 0
  br i1 %gone, label %block.done, label %block.sleep
block.sleep:
  call void @sleep_while(ptr %gate, i32 %still)
  br label %block.check
block.done:
  store atomic i32 0, ptr %owner.p seq_cst, align 4
  br label %done
done:
  %status = load atomic i32, ptr %status.p acquire, align 4
  store atomic i32 0, ptr %busy release, align 4
  ret i32 %status
}

; Take chunks of the open job until none is left, one fails or somebody interrupts.
define internal void @drain(ptr %pool) {
entry:
  %next = getelementptr i8, ptr %pool, i64 128
  %body.p = getelementptr i8, ptr %pool, i64 256
  %closure.p = getelementptr i8, ptr %pool, i64 264
  %ctx.p = getelementptr i8, ptr %pool, i64 272
  %end.p = getelementptr i8, ptr %pool, i64 280
  %chunk.p = getelementptr i8, ptr %pool, i64 288
  %status.p = getelementptr i8, ptr %pool, i64 296
  %body = load ptr, ptr %body.p
  %closure = load ptr, ptr %closure.p
  %ctx = load ptr, ptr %ctx.p
  %end = load i64, ptr %end.p
  %chunk = load i64, ptr %chunk.p
  %flag = load ptr, ptr %ctx
  br label %loop
loop:
  %failed = load atomic i32, ptr %status.p monotonic, align 4
  %sound = icmp eq i32 %failed, 0
  br i1 %sound, label %poll, label %out
poll:
  %interrupted = load atomic i32, ptr %flag monotonic, align 4
  %calm = icmp eq i32 %interrupted, 0
  br i1 %calm, label %grab, label %report
grab:
  %low = atomicrmw add ptr %next, i64 %chunk monotonic
  %some = icmp slt i64 %low, %end
  br i1 %some, label %run, label %out
run:
  %high.full = add i64 %low, %chunk
  %within = icmp slt i64 %high.full, %end
  %high = select i1 %within, i64 %high.full, i64 %end
  %status = call i32 %body(ptr %ctx, ptr %closure, i64 %low, i64 %high)
  %good = icmp eq i32 %status, 0
  br i1 %good, label %loop, label %report
report:
  %verdict = phi i32 [ -1, %poll ], [ %status, %run ]
  %ignored = cmpxchg ptr %status.p, i32 0, i32 %verdict release monotonic
  br label %out
out:
  ret void
}

define void @wb_worker(ptr %pool) {
entry:
  %gate = getelementptr i8, ptr %pool, i64 64
  %owner.p = getelementptr i8, ptr %pool, i64 68
  %sleepers.p = getelementptr i8, ptr %pool, i64 192
  %stop.p = getelementptr i8, ptr %pool, i64 196
  %limit.p = getelementptr i8, ptr %pool, i64 300
  br label %idle
idle:
  %seen = phi i32 [ 0, %entry ], [ %now, %enter ], [ %now, %crowded ], [ %now, %leave ], [ %now, %rouse ]
  br label %spin
spin:
  %turn = phi i32 [ 0, %idle ], [ %turn.next, %spin.wait ], [ 0, %awake ]
  %epoch = load atomic i32, ptr %pool acquire, align 4
  %same = icmp eq i32 %epoch, %seen
  br i1 %same, label %spin.wait, label %job
spin.wait:
  {{pause}}
  %turn.next = add i32 %turn, 1
  %patient = icmp slt i32 %turn.next, {{spins}}
  br i1 %patient, label %spin, label %sleep
sleep:
  %before = atomicrmw add ptr %sleepers.p, i32 1 seq_cst
  call void @sleep_while(ptr %pool, i32 %seen)
  br label %awake
awake:
  %after = atomicrmw sub ptr %sleepers.p, i32 1 seq_cst
  br label %spin
job:
  %stop = load atomic i32, ptr %stop.p acquire, align 4
  %stopping = icmp ne i32 %stop, 0
  br i1 %stopping, label %out, label %look
look:
  %now = load atomic i32, ptr %pool acquire, align 4
  br label %enter
enter:
  %state = load atomic i32, ptr %gate acquire, align 4
  %bit = and i32 %state, 1
  %open = icmp ne i32 %bit, 0
  br i1 %open, label %crowded, label %idle
crowded:
  %active = lshr i32 %state, 1
  %limit = load atomic i32, ptr %limit.p monotonic, align 4
  %room = icmp slt i32 %active, %limit
  br i1 %room, label %claim, label %idle
claim:
  %state.in = add i32 %state, 2
  %claimed = cmpxchg ptr %gate, i32 %state, i32 %state.in acq_rel monotonic
  %inside = extractvalue { i32, i1 } %claimed, 1
  br i1 %inside, label %work, label %enter
work:
  call void @drain(ptr %pool)
  br label %leave
leave:
  %leaving = atomicrmw sub ptr %gate, i32 2 seq_cst
  %owner = load atomic i32, ptr %owner.p seq_cst, align 4
  %last = icmp eq i32 %leaving, 2
  %owned = icmp ne i32 %owner, 0
  %call = and i1 %last, %owned
  br i1 %call, label %rouse, label %idle
rouse:
  call void @wake(ptr %gate, i32 1)
  br label %idle
out:
  ret void
}

define void @wb_stop(ptr %pool) {
  %stop.p = getelementptr i8, ptr %pool, i64 196
  store atomic i32 1, ptr %stop.p seq_cst, align 4
  %epoch = atomicrmw add ptr %pool, i32 1 seq_cst
  call void @wake(ptr %pool, i32 2147483647)
  ret void
}

; --- instruction loop -------------------------------------------------------------------------

define internal void @stamp(ptr %times, i64 %index) {
entry:
  %timed = icmp ne ptr %times, null
  br i1 %timed, label %take, label %out
take:
  %spec = alloca [2 x i64], align 16
  %ignored = call i32 @clock_gettime(i32 {{clock}}, ptr %spec)
  %seconds = load i64, ptr %spec
  %nanos.p = getelementptr i64, ptr %spec, i64 1
  %nanos = load i64, ptr %nanos.p
  %whole = mul i64 %seconds, 1000000000
  %time = add i64 %whole, %nanos
  %place = getelementptr i64, ptr %times, i64 %index
  store i64 %time, ptr %place
  br label %out
out:
  ret void
}

define internal i32 @instructions(ptr %segment) {
entry:
  %table = load ptr, ptr %segment
  %count.p = getelementptr i64, ptr %segment, i64 1
  %count = load i64, ptr %count.p
  %ctx.p = getelementptr i64, ptr %segment, i64 2
  %ctx = load ptr, ptr %ctx.p
  %times.p = getelementptr i64, ptr %segment, i64 4
  %times = load ptr, ptr %times.p
  call void @stamp(ptr %times, i64 0)
  %any = icmp sgt i64 %count, 0
  br i1 %any, label %loop, label %good
loop:
  %index = phi i64 [ 0, %entry ], [ %index.next, %proceed ]
  %kernel.p = getelementptr { ptr, ptr }, ptr %table, i64 %index
  %kernel = load ptr, ptr %kernel.p
  %args.p = getelementptr { ptr, ptr }, ptr %table, i64 %index, i32 1
  %args = load ptr, ptr %args.p
  %status = call i32 %kernel(ptr %args, ptr %ctx)
  %index.next = add i64 %index, 1
  call void @stamp(ptr %times, i64 %index.next)
  %fine = icmp eq i32 %status, 0
  br i1 %fine, label %poll, label %bad
poll:
  %flag = load ptr, ptr %ctx
  %interrupted = load atomic i32, ptr %flag monotonic, align 4
  %calm = icmp eq i32 %interrupted, 0
  br i1 %calm, label %proceed, label %bad
proceed:
  %more = icmp slt i64 %index.next, %count
  br i1 %more, label %loop, label %good
bad:
  %verdict = phi i32 [ %status, %loop ], [ -1, %poll ]
  %failed.p = getelementptr i64, ptr %segment, i64 3
  store i64 %index, ptr %failed.p
  ret i32 %verdict
good:
  ret i32 0
}

; SIGINT sets the flag (to 2) and goes on to whoever listened before.
define internal void @on_interrupt(i32 %signal, ptr %info, ptr %machine) {
entry:
  %flag = load ptr, ptr @guarded_flag
  %there = icmp ne ptr %flag, null
  br i1 %there, label %set, label %chain
set:
  store atomic i32 2, ptr %flag seq_cst, align 4
  br label %chain
chain:
  %old = load ptr, ptr @old_action
  call void %old(i32 %signal, ptr %info, ptr %machine)
  ret void
}

define i32 @wb_run(ptr %segment) {
entry:
  %guard.p = getelementptr i64, ptr %segment, i64 5
  %guard = load i64, ptr %guard.p
  %guarded = icmp ne i64 %guard, 0
  br i1 %guarded, label %look, label %plain
look:
  %asked = call i32 @sigaction(i32 2, ptr null, ptr @old_action)
  %old = load ptr, ptr @old_action
  %old.int = ptrtoint ptr %old to i64
  %listens = icmp ugt i64 %old.int, 1
  br i1 %listens, label %install, label %plain
install:
  %ctx.p = getelementptr i64, ptr %segment, i64 2
  %ctx = load ptr, ptr %ctx.p
  %flag = load ptr, ptr %ctx
  store ptr %flag, ptr @guarded_flag
  call void @llvm.memcpy.p0.p0.i64(ptr @new_action, ptr @old_action, i64 256, i1 false)
  store ptr @on_interrupt, ptr @new_action
  %set = call i32 @sigaction(i32 2, ptr @new_action, ptr null)
  %status = call i32 @instructions(ptr %segment)
  %reset = call i32 @sigaction(i32 2, ptr @old_action, ptr null)
  store ptr null, ptr @guarded_flag
  ret i32 %status
plain:
  %status.plain = call i32 @instructions(ptr %segment)
  ret i32 %status.plain
}
