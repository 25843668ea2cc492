begin;
select plan(2);

select make_analyst('ana');
select act_as('ana');
select is(bound_organization(), organization('alice'), 'the bound name');

-- This is the state of a cluster after a dump was restored, where another role has the oid.
select act_as('dba');
do $$
begin
  execute format('alter role %I rename to somebody', login('ana'));
end
$$;
set local session authorization somebody;
select is(bound_organization(), null, 'another name');

select * from finish();
rollback;
