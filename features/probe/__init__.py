"""The probe: are an encoder's vectors those of its reference library?"""
