begin;
select plan(1);

-- the control of test_events_can_not_be_changed_or_deleted: what refuses there is the trigger
alter table audit.event disable trigger _100_refuse_change, disable trigger _120_check_erasure;
select lives_ok($$update audit.event set action = 'x'$$, 'who may alter the table can; leads doctor finds it');

select * from finish();
rollback;
