begin;
select plan(5);

create domain test.trap as text constraint trap_is_shut check (value is null);
select act_as('stranger');
select is(api.input_faults(array['a'], array[t.name], array['x'])::text, null, t.name)
from (values ('test.trap'), ('integer'), ('regclass'), ('api.lead_item'), ('no_such_type')) as t (name);

select * from finish();
rollback;
