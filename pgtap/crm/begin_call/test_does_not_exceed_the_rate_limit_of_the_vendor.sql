begin;
select plan(4);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select leased()::text;
-- The test does not sleep when it is told to wait. It moves paced_until by the same time instead.
create table test.permitted (second numeric, slept numeric);
do $$
declare
  v_start timestamptz := clock_timestamp();
  v_slept numeric := 0;
  v_answer crm.permission;
begin
  loop
    v_answer := crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada');
    if v_answer.verdict = 'go' then
      insert into test.permitted values (extract(epoch from clock_timestamp() - v_start) + v_slept, v_slept);
    elsif v_answer.verdict = 'wait' then
      v_answer.wait_seconds := ceil(v_answer.wait_seconds * 1000) / 1000;
      update crm.connection set paced_until = paced_until - make_interval(secs => v_answer.wait_seconds::double precision);
      v_slept := v_slept + v_answer.wait_seconds;
    else
      raise 'The lease is gone.';
    end if;
    exit when extract(epoch from clock_timestamp() - v_start) + v_slept > 21;
  end loop;
end
$$;

select cmp_ok(
  (select count(*) from test.permitted as p where p.slept = 0), '>=', 19::bigint, 'a tenth of the calls is permitted at once'
);
select cmp_ok(
  (select count(*) from test.permitted as p where p.slept = 0), '<', 60::bigint, 'the others wait'
);
select cmp_ok(
  (
    select max(n.calls)
    from (
      select count(*) over (order by p.second range between 9.999 preceding and current row) as calls from test.permitted as p
    ) as n
  ),
  '<=', 190::bigint, 'no period of 10 seconds exceeds HubSpot''s limit'
);
select cmp_ok(
  (select count(*) from test.permitted as p where p.second between 10 and 20), '>=', 160::bigint, 'and the limit is almost used'
);

select * from finish();
rollback;
