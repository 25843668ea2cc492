begin;
select plan(4);

select act_as('stranger');
select is(api.read_instant('2026-04-27T13:22Z'), '2026-04-27 13:22:00Z', 'a time');
select is(api.read_instant(null), null, 'null');
select throws_ok($$select api.read_instant('2026-04-27T13:22')$$, '23514', null, 'no offset');
select is(
  api.input_faults(array['start_at', 'end_at'], array_fill('timestamp with time zone'::text, array[2]), array['2026-04-27', 'now'])
    #>> '{0,code}',
  'invalid_timestamp',
  'input_faults lists it'
);

select * from finish();
rollback;
